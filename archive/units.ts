import { existsSync, readFileSync } from 'node:fs';
import { start } from '../builder/run.ts';
import { MindiError } from '../contract/error.ts';
import { drained } from './drained.ts';
import type { KnownFiles } from './known-files.ts';
import type { ArchiveSettings } from './settings.ts';
import { type Found, lastDigits, type Tell } from './walk.ts';

/** What one thread reads at once and one archive holds. */
export interface Unit {
  /** Paths, each with a NUL behind it. */
  list: Buffer;
  /** For each path: 1 where it is a directory that stands here only so that the archive is complete in itself. */
  again: Uint8Array;
  /** The last 15 digits of each one's inode: enough to tell two apart, and a number that is exact. */
  inodes: Float64Array;
  /** What find says each is, as the number of its letter, where it may be read without tar; else 0. */
  types: Uint8Array;
}

/** So that what a unit's members need in memory stays small. */
const MOST_MEMBERS = 8192;
/** PATH_MAX of Linux, without the NUL. */
const LONGEST_PATH = 4095;

export interface Limits {
  /** Bytes of a unit, about. */
  bytes: number;
  /** Devices of the starts: what lies on another one was not entered. */
  devices: ReadonlySet<string>;
  /** Mount points nobody misses; latin1, without `/` in front. */
  pseudo: ReadonlySet<string>;
  /** For sort's temporary files. */
  scratch: string;
  /** What stands in front of a file's path when it is read. */
  root: string;
}

/**
 * Divides what the walk found into units, in its order. Hard links of one file lie far apart there: they come at last,
 * sorted so that they are neighbours and in one archive.
 * @param known what it has is left out
 */
export async function* unitsOf(
  found: AsyncIterable<Found[]>,
  settings: ArchiveSettings,
  limits: Limits,
  tell: Tell,
  known: KnownFiles | null,
): AsyncGenerator<Unit> {
  const builder = new UnitBuilder(settings.include, known);
  const linked = start('sort', ['--zero-terminated', '--buffer-size=32M', `--temporary-directory=${limits.scratch}`]);
  const tagged = tagsOf(settings.excludeTagged, limits.root);
  try {
    for await (const files of found) {
      let links = '';
      for (const file of files) {
        if (tagged(file) || !canBeArchived(file, limits, tell)) continue;
        const kept = known?.has(file) ?? null;
        if (file.links > 1 && file.type !== 'd') links += linkRecord(file, kept);
        else if (kept === null) builder.add(file);
        else builder.pass(file);
        if (builder.isFull(limits.bytes)) yield builder.take();
      }
      if (links && !linked.stdin.write(links, 'latin1')) await drained(linked.stdin);
    }
    linked.stdin.end();
    yield* linkedUnits(linked.stdout, builder, limits, known);
    const { exitCode, stderr } = await linked.ended;
    if (exitCode !== 0)
      throw new MindiError(`sort failed: ${stderr.trim()}`, {
        code: 'archive.sort',
        where: limits.scratch,
        exitCode: 1,
      });
    if (known) builder.addRemaining();
    if (builder.length > 0) yield builder.take();
  } finally {
    linked.kill();
  }
}

async function* linkedUnits(
  sorted: AsyncIterable<Buffer>,
  builder: UnitBuilder,
  limits: Limits,
  known: KnownFiles | null,
): AsyncGenerator<Unit> {
  for await (const group of groupsOf(sorted)) {
    // All names or none: a link alone would be one to nothing.
    const isKept = group.every(({ kept }) => kept !== '-') && group.some(({ kept }) => kept === 'contents');
    if (isKept) {
      for (const { path } of group) known?.keep(path);
      continue;
    }
    if (builder.isFull(limits.bytes)) yield builder.take();
    for (const file of group) builder.add(file);
  }
}

/** The names of each file. */
async function* groupsOf(sorted: AsyncIterable<Buffer>): AsyncGenerator<LinkedFile[]> {
  let rest = '';
  let group: LinkedFile[] = [];
  for await (const chunk of sorted) {
    const records = (rest + chunk.toString('latin1')).split('\0');
    rest = records.pop() ?? '';
    for (const file of records.map(parseLinkRecord)) {
      if (group.length > 0 && file.identity !== group[0]?.identity) {
        yield group;
        group = [];
      }
      group.push(file);
    }
  }
  if (group.length > 0) yield group;
}

/** `kept`: as what is known of it, `-` when it does not. */
interface LinkedFile extends Found {
  kept: string;
}

const linkRecord = ({ identity, path, size }: Found, kept: string | null) => {
  const [device = '', number = ''] = identity.split(' ');
  return `${device} ${number.padStart(20, '0')} ${size} ${kept ?? '-'} ${path}\0`;
};

function parseLinkRecord(record: string): LinkedFile {
  const [device = '', number = '', size = '', kept = ''] = record.split(' ', 4);
  const path = record.slice(device.length + number.length + size.length + kept.length + 4);
  return {
    type: 'f',
    links: 2,
    size: Number(size),
    bytes: 0,
    inode: lastDigits(number),
    identity: `${device} ${number}`,
    device: '',
    path,
    kept,
  };
}

function canBeArchived(file: Found, { devices, pseudo }: Limits, tell: Tell): boolean {
  if (file.type === 's') tell(file.path, 'socket');
  else if (file.path.length > LONGEST_PATH) tell(file.path, 'too-long');
  else if (file.type === 'd' && !devices.has(file.device) && !pseudo.has(file.path)) {
    tell(file.path, 'other-file-system');
    return true;
  } else return true;
  return false;
}

/** https://bford.info/cachedir/ */
const CACHE_TAG = 'CACHEDIR.TAG';
const CACHE_SIGNATURE = 'Signature: 8a477f597d28d172789f06886806bc55';

/** Whether a file lies in a directory that has one of the tags. Directories come before what is in them. */
function tagsOf(tags: readonly string[], root: string): (file: Found) => boolean {
  let prefix: string | undefined;
  return ({ type, path }) => {
    if (prefix !== undefined && path.startsWith(prefix)) return true;
    prefix = type === 'd' && tags.some((tag) => hasTag(`${root}/${path}`, tag)) ? `${path}/` : undefined;
    return false;
  };
}

function hasTag(folder: string, tag: string): boolean {
  const path = Buffer.from(`${folder}/${tag}`, 'latin1');
  if (!existsSync(path)) return false;
  return tag !== CACHE_TAG || readFileSync(path, 'latin1').startsWith(CACHE_SIGNATURE);
}

const FOLDER = 'd'.charCodeAt(0);

/** Collects the paths of a unit, each after all directories above it. */
class UnitBuilder {
  #paths: string[] = [];
  #again: number[] = [];
  #inodes: number[] = [];
  #types: number[] = [];
  #bytes = 0;
  #folders = new Set<string>(['.']);
  /** The directory of the file before. */
  #last = '';
  /** Directories above the included paths: the walk does not find these, and each is in the catalog once. */
  readonly #above: Set<string>;

  constructor(include: readonly string[], known: KnownFiles | null) {
    this.#above = new Set(include.flatMap((path) => ancestors(Buffer.from(path.slice(1)).toString('latin1'))));
    for (const folder of this.#above) known?.see(folder);
  }

  get length(): number {
    return this.#paths.length;
  }

  isFull(bytes: number): boolean {
    return this.#bytes >= bytes || this.#paths.length >= MOST_MEMBERS;
  }

  add(file: Found): void {
    const end = file.path.lastIndexOf('/');
    // Neighbours are mostly in one directory.
    if (end > 0 && !(end === this.#last.length && file.path.startsWith(this.#last))) {
      this.#last = file.path.slice(0, end);
      if (!this.#folders.has(this.#last)) this.#addAbove(file.path);
    }
    if (file.type === 'd') {
      this.#folders.add(file.path);
      this.#above.delete(file.path);
    }
    this.#push(file.path, 0, file.inode, file.type === 'd' || file.links === 1 ? file.type.charCodeAt(0) : 0);
    this.#bytes += file.size;
  }

  #addAbove(path: string): void {
    for (const folder of ancestors(path)) {
      if (this.#folders.has(folder)) continue;
      this.#folders.add(folder);
      this.#push(folder, this.#above.delete(folder) ? 0 : 1, 0, FOLDER);
    }
  }

  /** A file that is in the set without being here. */
  pass({ type, path }: Found): void {
    if (type === 'd') this.#above.delete(path);
  }

  /** Of a differential set: directories above the included paths stand in it whatever changed below them. */
  addRemaining(): void {
    for (const folder of this.#above) this.#push(folder, 0, 0, FOLDER);
  }

  #push(path: string, again: number, inode: number, type: number): void {
    this.#types.push(type);
    this.#paths.push(path);
    this.#inodes.push(inode);
    this.#again.push(again);
  }

  take(): Unit {
    const unit = {
      list: Buffer.from(`${this.#paths.join('\0')}\0`, 'latin1'),
      again: Uint8Array.from(this.#again),
      inodes: Float64Array.from(this.#inodes),
      types: Uint8Array.from(this.#types),
    };
    this.#paths = [];
    this.#again = [];
    this.#inodes = [];
    this.#types = [];
    this.#bytes = 0;
    this.#last = '';
    this.#folders = new Set(['.']);
    return unit;
  }
}

/** `a/b/c` -> a, a/b */
export function ancestors(path: string): string[] {
  const found: string[] = [];
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) found.push(path.slice(0, at));
  return found;
}
