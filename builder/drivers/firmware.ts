import { globSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { globMatch, isGlob, readDecompressed } from 'node-kmod-deps';
import { MindiError, messageOf } from '../../contract/error.ts';
import type { Contents, Entry, Reason } from '../../contract/manifest.ts';
import { cached } from '../cache.ts';
import type { Piece } from '../piece.ts';
import type { ProfileFile } from '../profile/schema.ts';
import { type Link, Tree } from '../tools/follow.ts';
import type { FileHashes } from '../tools/hashes.ts';
import { type FirmwareSource, firmwareSuite, HOST, type Suite } from './firmware-source.ts';
import type { Firmware } from './resolve.ts';

/** `drivers.firmware` of a profile. */
export type FirmwareChoice = NonNullable<NonNullable<ProfileFile['drivers']>['firmware']>;

/** The same with everything said. */
export interface FirmwareSettings {
  from: readonly string[];
  include: readonly string[];
  exclude: readonly string[];
  /** MiB. */
  limit: number | null;
}

/** Undefined when the profile wants no firmware. */
export function firmwareSettings(choice: FirmwareChoice): FirmwareSettings | undefined {
  if (choice === 'none') return undefined;
  const said = choice === 'auto' ? {} : choice;
  return {
    from: said.from ?? [HOST],
    include: said.include ?? [],
    exclude: said.exclude ?? [],
    limit: said.limit ?? null,
  };
}

/** What became of one file that modules declare, or that the profile includes. */
export interface FirmwareFate extends Firmware {
  status: 'present' | 'missing' | 'excluded';
  /** Where it was found: a path of this machine, or `package: path in it`. */
  origin?: string;
  /** Bytes on the medium. */
  size?: number;
  /** Debian package that has it, when it is missing and one has. */
  package?: string;
  /** The line of `exclude`, or `limit`. */
  because?: string;
}

export interface FirmwareResult {
  /** What drivers of the initrd ask for before the second stage is there. */
  essential: Piece;
  others: Piece;
  /** Sorted by file. */
  fates: FirmwareFate[];
}

export interface FirmwareRequest {
  /** What the chosen modules declare. */
  wanted: readonly Firmware[];
  settings: FirmwareSettings;
  sources: readonly FirmwareSource[];
  /** Modules of the first stage. */
  essential: readonly string[];
  release: string;
  hashes: FileHashes;
  /** The profile's place of an include. */
  where?: (index: number) => string | undefined;
}

const MIB = 1024 * 1024;
/** As the file may be stored, in the kernel's order. drivers/base/firmware_loader/main.c, _request_firmware */
const SUFFIXES = ['', '.zst', '.xz'];

/** Where the kernel looks for firmware, in its order. drivers/base/firmware_loader/main.c, fw_path */
const directories = (release: string): string[] => [
  `/lib/firmware/updates/${release}`,
  '/lib/firmware/updates',
  `/lib/firmware/${release}`,
  '/lib/firmware',
];

/**
 * Takes the firmware the modules declare, every symbolic link on the way included, from the first source that has it.
 * Compressed files are stored decompressed: not every kernel reads .zst, and what is packed around them compresses better.
 * @throws MindiError `firmware.not-found` for an include that finds nothing, `firmware.damaged`
 */
export async function takeFirmware(request: FirmwareRequest): Promise<FirmwareResult> {
  const { settings, hashes } = request;
  const finder = new Finder(request);
  const included = inclusions(request, finder);
  const byFile = new Map([...request.wanted, ...included].map((firmware) => [firmware.file, firmware]));
  const fates: FirmwareFate[] = [];
  const found: Taken[] = [];
  for (const firmware of byFile.values()) {
    const because = excludedBy(firmware.file, settings.exclude);
    const items = because === undefined ? finder.find(firmware.file) : [];
    if (because !== undefined) fates.push({ ...firmware, status: 'excluded', because: `exclude: ${because}` });
    else if (items.length === 0) fates.push({ ...firmware, status: 'missing', ...packageField(firmware.file) });
    else found.push(await measured(firmware, items, hashes));
  }
  const first = new Set(request.essential);
  const isEssential = ({ firmware }: Taken) => firmware.wantedBy.some((name) => first.has(name));
  const { kept, over } = withinLimit(found, isEssential, settings.limit);
  fates.push(
    ...over.map(({ firmware, size }): FirmwareFate => ({ ...firmware, status: 'excluded', size, because: 'limit' })),
  );
  fates.push(...kept.map(presentFate));
  return {
    essential: piece(kept.filter(isEssential)),
    others: piece(kept.filter((taken) => !isEssential(taken))),
    fates: fates.sort((a, b) => (a.file < b.file ? -1 : 1)),
  };
}

function presentFate({ firmware, items, size }: Taken): FirmwareFate {
  const origin = items[0]?.origin;
  return { ...firmware, status: 'present', size, ...(origin === undefined ? {} : { origin }) };
}

/** One file of a source, as it will be on the medium. */
interface Item {
  path: string;
  /** On this host, maybe compressed. */
  source: string;
  compressed: boolean;
  links: Link[];
  origin: string;
}

/** All files that answer one name, with their bytes known. */
interface Taken {
  firmware: Firmware;
  items: (Item & { sha256: string; size: number; content: string })[];
  size: number;
}

class Finder {
  readonly #trees: { tree: Tree; source: FirmwareSource }[];
  readonly #directories: string[];

  constructor({ sources, release }: Pick<FirmwareRequest, 'sources' | 'release'>) {
    this.#trees = sources.map((source) => ({ tree: new Tree(source.root), source }));
    // Packages may have it below /usr; on a merged system both names lead to one place.
    this.#directories = directories(release).flatMap((directory) => [directory, `/usr${directory}`]);
  }

  /** Files for a name, which may be a glob (iwlwifi declares `iwlwifi-*.ucode`), from the first place that has any. */
  find(file: string): Item[] {
    for (const each of this.#trees) {
      for (const directory of this.#directories) {
        const items = this.#in(each, directory, file);
        if (items.length > 0) return items;
      }
    }
    return [];
  }

  #in(place: { tree: Tree; source: FirmwareSource }, directory: string, file: string): Item[] {
    const path = posix.join(directory, file);
    if (!path.startsWith(`${directory}/`)) return [];
    const items = new Map<string, Item>();
    for (const suffix of SUFFIXES) {
      for (const candidate of isGlob(file) ? globbed(place.tree.root, path + suffix) : [path + suffix]) {
        const item = followed(place, candidate, suffix);
        if (item && !items.has(item.path)) items.set(item.path, item);
      }
      if (items.size > 0 && !isGlob(file)) break;
    }
    return [...items.values()];
  }
}

function globbed(root: string, pattern: string): string[] {
  const found = globSync(posix.relative('/', pattern), { cwd: root });
  return found.map((match) => posix.join('/', match)).sort();
}

function followed(
  { tree, source }: { tree: Tree; source: FirmwareSource },
  path: string,
  suffix: string,
): Item | undefined {
  const found = tree.follow(path);
  if (!found?.stats.isFile()) return undefined;
  const compressed = suffix !== '';
  const plain = (name: string) => (compressed && name.endsWith(suffix) ? name.slice(0, -suffix.length) : name);
  const inside = tree.inside(found.source);
  return {
    path: plain(found.path),
    source: found.source,
    compressed: compressed && found.path.endsWith(suffix),
    links: found.links.map((link) => ({ path: plain(link.path), target: plain(link.target) })),
    origin: source.package === null ? inside : `${source.package}: ${inside}`,
  };
}

async function measured(firmware: Firmware, items: readonly Item[], hashes: FileHashes): Promise<Taken> {
  const all = await Promise.all(
    items.map(async (item) => {
      const content = item.compressed ? await decompressed(item.source, hashes) : item.source;
      return { ...item, ...(await hashes.of(content)), content };
    }),
  );
  return { firmware, items: all, size: all.reduce((sum, { size }) => sum + size, 0) };
}

/** Path of the decompressed file in mindi's cache. */
async function decompressed(path: string, hashes: FileHashes): Promise<string> {
  const { sha256 } = await hashes.of(path);
  return await cached('firmware-plain', sha256, async (temporary) => writeFile(temporary, await bytesOf(path)));
}

async function bytesOf(path: string): Promise<Uint8Array> {
  try {
    return await readDecompressed(path);
  } catch (cause) {
    throw new MindiError(`this firmware cannot be decompressed: ${messageOf(cause)}`, {
      code: 'firmware.damaged',
      where: path,
      hint: 'Install its package again, or leave it out with drivers.firmware.exclude.',
      cause,
    });
  }
}

/** What the first stage needs comes first, then the smallest: so most devices get theirs. */
function withinLimit(found: readonly Taken[], isEssential: (taken: Taken) => boolean, limit: number | null) {
  if (limit === null) return { kept: [...found], over: [] };
  const rank = (taken: Taken) => (isEssential(taken) ? 0 : 1);
  const ordered = found.toSorted(
    (a, b) => rank(a) - rank(b) || a.size - b.size || (a.firmware.file < b.firmware.file ? -1 : 1),
  );
  const seen = new Set<string>();
  const kept: Taken[] = [];
  const over: Taken[] = [];
  let bytes = 0;
  for (const taken of ordered) {
    // Names that lead to one file cost once.
    const fresh = taken.items.filter(({ path }) => !seen.has(path));
    const more = fresh.reduce((sum, { size }) => sum + size, 0);
    if (bytes + more > limit * MIB) {
      over.push(taken);
      continue;
    }
    bytes += more;
    for (const { path } of fresh) seen.add(path);
    kept.push(taken);
  }
  return { kept, over };
}

function piece(taken: readonly Taken[]): Piece {
  const contents: Contents = new Map();
  const entries: Entry[] = [];
  for (const { firmware, items } of taken) {
    const why = [reason(firmware)];
    for (const { path, links, size, sha256, content, origin } of items) {
      entries.push({ type: 'file', path, mode: 0o644, uid: 0, gid: 0, why, size, sha256, origin });
      contents.set(sha256, { from: 'file', path: content });
      for (const link of links) entries.push({ type: 'symlink', ...link, mode: 0o777, uid: 0, gid: 0, why });
    }
  }
  return { entries, contents };
}

function reason({ file, wantedBy }: Firmware): Reason {
  if (wantedBy.length === 0) return { rule: `drivers.firmware.include: ${file}`, kind: 'named' };
  return { rule: 'drivers.firmware', via: wantedBy.slice(0, 3), kind: 'firmware' };
}

/** The line that takes a file away. */
function excludedBy(file: string, exclude: readonly string[]): string | undefined {
  return exclude.find((line) => (line.endsWith('/') ? file.startsWith(line) : globMatch(line, file)));
}

/** @throws MindiError for all includes that find nothing */
function inclusions({ settings, where }: FirmwareRequest, finder: Finder): Firmware[] {
  const problems = settings.include.flatMap((file, i) => {
    if (finder.find(file).length > 0) return [];
    const hint = packageOf(file);
    return new MindiError(`there is no firmware ${JSON.stringify(file)} in ${settings.from.join(', ')}`, {
      code: 'firmware.not-found',
      where: where?.(i),
      hint: hint
        ? `The Debian package ${hint} has it: name it under \`from\`.`
        : 'Names are relative to /lib/firmware.',
    });
  });
  if (problems.length > 0) throw MindiError.all(problems, 'drivers.firmware.include:', 'firmware.not-found');
  return settings.include.map((file) => ({ file, wantedBy: [] }));
}

const packageField = (file: string): { package?: string } => {
  const name = packageOf(file);
  return name === undefined ? {} : { package: name };
};

let packages: ReadonlyMap<string, Record<Suite, string>> | undefined;
const PACKAGES = fileURLToPath(new URL('./firmware-packages.txt', import.meta.url));

/** The Debian package that has a firmware file, or the first that has one for a glob; undefined when none is known to. */
export function packageOf(file: string, suite: Suite = firmwareSuite()): string | undefined {
  packages ??= readPackages();
  const names = isGlob(file) ? [...packages.keys()].filter((name) => globMatch(file, name)) : [file];
  const known = names.map((name) => packages?.get(name)).find((each) => each !== undefined);
  if (!known) return undefined;
  return [known[suite], known.bookworm, known.trixie].find((name) => name !== '-');
}

function readPackages(): Map<string, Record<Suite, string>> {
  const lines = readFileSync(PACKAGES, 'utf8')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const [file = '', bookworm = '-', trixie = '-'] = line.split(' ');
      return [file, { bookworm, trixie }];
    }),
  );
}

/** One line for what is missing and could be had; what no package has is no news. Undefined when there is nothing to say. */
export function missingFirmwareNote(fates: readonly FirmwareFate[]): string | undefined {
  const missing = fates.filter((fate) => fate.status === 'missing' && fate.package !== undefined);
  if (missing.length === 0) return undefined;
  const names = [...new Set(missing.map((fate) => fate.package))].sort().join(', ');
  return `firmware the drivers may ask for is not here: ${count(missing)}; Debian packages that have it, for drivers.firmware.from: ${names}`;
}

const count = ({ length }: readonly unknown[]): string => (length === 1 ? '1 file' : `${length} files`);

/** One line for what the limit left out. */
export function limitNote(fates: readonly FirmwareFate[]): string | undefined {
  const over = fates.filter(({ because }) => because === 'limit');
  if (over.length === 0) return undefined;
  const biggest = over.toSorted((a, b) => (b.size ?? 0) - (a.size ?? 0)).slice(0, 5);
  const shown = biggest.map(({ file, size = 0 }) => `${file} ${(size / MIB).toFixed(1)} MiB`).join(', ');
  return `drivers.firmware.limit leaves out ${count(over)}; the biggest: ${shown}`;
}
