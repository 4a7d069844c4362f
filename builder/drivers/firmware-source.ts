import { basename, join, resolve } from 'node:path';
import fs from 'fs-extra';
import { MindiError, messageOf } from '../../contract/error.ts';
import { cacheDirectory, hashFile, writeBeside } from '../cache.ts';
import { readOsRelease } from '../doctor/distro.ts';
import { fetchPackage, isPackageName } from '../kernel/apt.ts';
import { run } from '../run.ts';
import { scratch } from '../scratch.ts';

/** A tree with lib/firmware or usr/lib/firmware in it. */
export interface FirmwareSource {
  /** Absolute; `/` is this machine. */
  root: string;
  /** `firmware-bnx2x 20230210-5`; null for this machine. */
  package: string | null;
}

export const HOST = 'host';
const THIS_MACHINE: FirmwareSource = { root: '/', package: null };
const PACKAGE_FILE = /\/|\.(deb|rpm|apk|pkg\.tar(\.\w+)?)$/;

export const SUITES = ['bookworm', 'trixie'] as const;
export type Suite = (typeof SUITES)[number];

/** The Debian release whose firmware fits this machine: its own when it is Debian 13 or later, else bookworm. */
export function firmwareSuite(osRelease: string = readOsRelease('/')): Suite {
  const field = (name: string) => new RegExp(`^${name}="?([^"\\n]*)`, 'm').exec(osRelease)?.[1];
  const version = field('VERSION_ID');
  // testing and unstable have no number.
  return field('ID') === 'debian' && (version === undefined || Number(version) >= 13) ? 'trixie' : 'bookworm';
}

/** Asked only when this machine's own sources do not know the package; they are never changed. */
const sourceOf = (suite: Suite): string =>
  '# mindi’s own; this machine’s sources stay as they are\n' +
  `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian ${suite} main non-free non-free-firmware\n`;

export interface SourceOptions {
  /** The profile's place of an item. */
  where?: (index: number) => string | undefined;
  /** Hears what takes long. */
  say?: (text: string) => void;
  /** This machine's filesystem, for tests. */
  root?: string;
}

/**
 * The trees firmware is taken from, in order. Packages are fetched and unpacked once; what a name stood for is recorded,
 * so that later builds have the same and need no network.
 * @param from `host`, package names, package files
 * @throws MindiError `firmware.*`, all problems at once
 */
export async function firmwareSources(from: readonly string[], options: SourceOptions = {}): Promise<FirmwareSource[]> {
  const sources: FirmwareSource[] = [];
  const problems: MindiError[] = [];
  for (const [i, item] of from.entries()) {
    try {
      sources.push(await sourceFor(item, options));
    } catch (error) {
      if (!(error instanceof MindiError)) throw error;
      problems.push(placed(error, item, options.where?.(i)));
    }
  }
  if (problems.length > 0) throw MindiError.all(problems, 'drivers.firmware.from:', 'firmware.source');
  return sources;
}

async function sourceFor(item: string, { say, root }: SourceOptions): Promise<FirmwareSource> {
  if (item === HOST) return root === undefined ? THIS_MACHINE : { root, package: null };
  if (PACKAGE_FILE.test(item)) return await unpacked(item);
  if (!isPackageName(item)) throw badName(item);
  return (await recorded(item)) ?? (await fetched(item, say));
}

/** What a package name stood for when it was fetched: the directory's name in the cache. */
const recordOf = (name: string) => cacheDirectory('firmware', `${name}.json`);

async function recorded(name: string): Promise<FirmwareSource | undefined> {
  const record = await fs.readJson(recordOf(name)).catch(() => undefined);
  const root = record?.tree && resolve(cacheDirectory('firmware', record.tree));
  return root && (await fs.pathExists(root)) ? { root, package: record.package } : undefined;
}

async function fetched(name: string, say?: (text: string) => void): Promise<FirmwareSource> {
  say?.(`fetching the package ${name}`);
  await using work = await scratch('firmware');
  const source = await unpacked(await fetchPackage(name, work.path, sourceOf(firmwareSuite())));
  const record = { tree: basename(source.root), package: source.package };
  await writeBeside(recordOf(name), (temporary) => fs.writeJson(temporary, record));
  return source;
}

/** Unpacks what of a package lies in lib/firmware, once for each content. */
async function unpacked(file: string): Promise<FirmwareSource> {
  const { sha256 } = await hashed(file);
  const root = resolve(cacheDirectory('firmware', sha256));
  if (!(await fs.pathExists(root))) {
    await writeBeside(root, async (temporary) => {
      await fs.ensureDir(temporary);
      await extract(file, temporary);
    });
  }
  return { root, package: originOf(file) };
}

async function hashed(file: string): Promise<{ sha256: string }> {
  try {
    return await hashFile(file);
  } catch (cause) {
    throw new MindiError(`cannot read the package: ${messageOf(cause)}`, {
      code: 'firmware.package-missing',
      where: file,
      hint: 'Name an existing .deb, .rpm, .pkg.tar.zst or .apk file, or a Debian package.',
      cause,
    });
  }
}

async function extract(file: string, root: string): Promise<void> {
  const data = join(root, 'data.tar');
  try {
    // A .deb is an ar archive that holds the files as data.tar.xz, .zst or .gz.
    if (file.endsWith('.deb')) await run('bsdtar', ['-xOf', file, 'data.tar*'], { stdoutFile: data });
    const archive = file.endsWith('.deb') ? data : file;
    const owners = ['--no-same-owner', '--no-same-permissions'];
    await run('bsdtar', ['-xf', archive, '-C', root, ...owners, '--include', '*lib/firmware/*']);
  } catch (error) {
    if (!(error instanceof MindiError) || error.code !== 'tool.failed') throw error;
    throw new MindiError(
      /not found in archive/i.test(error.message)
        ? 'the package holds no firmware'
        : `the package cannot be unpacked: ${error.message}`,
      {
        code: 'firmware.package-unfit',
        where: file,
        hint: 'Name a package with files in /lib/firmware, such as firmware-misc-nonfree.',
        cause: error,
      },
    );
  } finally {
    await fs.remove(data);
  }
}

/** `firmware-bnx2x_20230210-5_all.deb` is known to people as `firmware-bnx2x 20230210-5`. */
function originOf(file: string): string {
  const deb = /^([^_]+)_([^_]+)_[^_]+\.deb$/.exec(basename(file));
  return deb ? `${deb[1]} ${deb[2]?.replace('%3a', ':')}` : basename(file);
}

function badName(name: string): MindiError {
  return new MindiError(`${JSON.stringify(name)} is neither host nor the name of a Debian package nor a package file`, {
    code: 'firmware.package-unknown',
    hint: 'Write host, a package such as firmware-misc-nonfree, or a file with a / in it.',
  });
}

function placed(error: MindiError, item: string, where: string | undefined): MindiError {
  if (error.code.startsWith('kernel.') || error.code === 'tool.failed') {
    const known = error.code === 'kernel.package-unknown';
    return new MindiError(known ? `apt knows no package ${item}` : `cannot fetch ${item}: ${error.message}`, {
      code: known ? 'firmware.package-unknown' : 'firmware.fetch-failed',
      where,
      hint: known
        ? 'Check the name; firmware packages are firmware-*, intel-microcode and amd64-microcode.'
        : 'Is the network up? A package fetched once needs none; or name a package file.',
      cause: error,
    });
  }
  if (error.where !== undefined || where === undefined) return error;
  const { code, message, hint, exitCode } = error;
  return new MindiError(message, { code, where, exitCode, cause: error, ...(hint === undefined ? {} : { hint }) });
}
