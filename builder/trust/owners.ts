import { statSync } from 'node:fs';
import fs from 'fs-extra';
import { MindiError } from '../../contract/error.ts';
import { cached, hashOf } from '../cache.ts';
import { readOsRelease } from '../doctor/distro.ts';
import { run } from '../run.ts';
import type { Package } from './packages.ts';

/** Packages by the path of a file that is theirs. Paths nobody owns are not in it. */
export type Owners = ReadonlyMap<string, Package>;

interface PackageManager {
  /** It manages this machine where this is; what it says changes only when this does. */
  database: string;
  ask: (paths: readonly string[]) => Promise<Owners>;
}

const MANAGERS: readonly PackageManager[] = [
  { database: '/var/lib/dpkg/status', ask: askDpkg },
  { database: '/var/lib/rpm', ask: (paths) => askRpm(paths) },
  { database: '/usr/lib/sysimage/rpm', ask: (paths) => askRpm(paths) },
  { database: '/var/lib/pacman/local', ask: askPacman },
  { database: '/lib/apk/db/installed', ask: askApk },
];

/** Raise it when the same answers would be read differently. */
const FORMAT = 1;
/** A command line has its limit. */
const AT_ONCE = 5000;

/**
 * Which package of this machine each file belongs to: one call of the package manager for all, remembered until its
 * database changes.
 */
export async function ownersOf(paths: readonly string[]): Promise<Owners> {
  const manager = MANAGERS.map(({ database, ask }) => ({ ask, database, stamp: stampOf(database) })).find(
    ({ stamp }) => stamp !== undefined,
  );
  if (!manager || paths.length === 0) return new Map();
  const wanted = [...new Set(paths)].sort();
  const vendor = /^ID="?([a-z0-9._-]+)/m.exec(readOsRelease('/'))?.[1];
  const key = hashOf([FORMAT, manager.database, manager.stamp, vendor, wanted]);
  const file = await cached('owners', `${key}.json`, async (path) => {
    const owners: [string, Package][] = [];
    for (let at = 0; at < wanted.length; at += AT_ONCE) {
      owners.push(...(await orNobody(manager.ask, wanted.slice(at, at + AT_ONCE))));
    }
    await fs.writeJson(
      path,
      owners.map(([file, owner]) => [file, { ...owner, vendor }]),
    );
  });
  return new Map(await fs.readJson(file));
}

function stampOf(path: string): string | undefined {
  try {
    const { mtimeNs, ctimeNs, size, ino } = statSync(path, { bigint: true });
    return [mtimeNs, ctimeNs, size, ino].join(' ');
  } catch {
    return undefined;
  }
}

/** A database without its program: a container that is used without a package manager. */
async function orNobody(ask: PackageManager['ask'], paths: readonly string[]): Promise<Owners> {
  try {
    return await ask(paths);
  } catch (error) {
    if (error instanceof MindiError && error.code === 'tool.missing') return new Map();
    throw error;
  }
}

/** dpkg knows /bin/mount where the merged /usr has /usr/bin/mount, so it is asked for both. */
async function askDpkg(paths: readonly string[]): Promise<Owners> {
  const old = paths.flatMap((path) => /^\/usr(\/s?bin\/.*|\/lib.*)$/.exec(path)?.slice(1) ?? []);
  const { stdout } = await run('dpkg-query', ['-S', ...[...paths, ...old].map(literal)], {
    accept: [1],
    package: 'dpkg',
  });
  const names = dpkgOwners(stdout);
  const format = `${['binary:Package', 'Version', 'Architecture'].map((field) => `\${${field}}`).join('\\t')}\\n`;
  const list = await run('dpkg-query', ['-W', '-f', format, ...new Set(names.values())], { accept: [1] });
  const versions = dpkgVersions(list.stdout);
  return known(paths, (path) => versions.get(names.get(path) ?? names.get(path.replace(/^\/usr/, '')) ?? ''));
}

/** dpkg-query takes patterns: `/usr/bin/[` is a program. */
const literal = (path: string) => path.replaceAll(/[\\*?[\]]/g, '\\$&');

/** `libc6:amd64, libc6:i386: /usr/share/doc/libc6` by path, the first of several owners. */
function dpkgOwners(output: string): Map<string, string> {
  const lines = output.split('\n').flatMap((line) => {
    const [, names, path] = /^(?!diversion by )(.+?): (\/.*)$/.exec(line) ?? [];
    return names && path ? [[path, names.split(', ')[0] as string] as const] : [];
  });
  return new Map(lines);
}

function dpkgVersions(output: string): Map<string, Package> {
  const lines = output.split('\n').flatMap((line): [string, Package][] => {
    const [binary, version, architecture] = line.split('\t');
    if (!binary || !version || !architecture) return [];
    return [[binary, { type: 'deb', name: binary.replace(/:.*/, ''), version, architecture }]];
  });
  return new Map(lines);
}

/**
 * rpm answers a path with a line for each of its owners, without the path; so these are then asked for their files.
 * @param database where it is, if not at rpm's own place
 */
export async function askRpm(paths: readonly string[], database?: string): Promise<Owners> {
  const place = database === undefined ? [] : ['--dbpath', database];
  const ask = async (args: readonly string[]) =>
    (await run('rpm', ['-q', ...place, ...args], { accept: FAILED, package: 'rpm' })).stdout.split('\n');
  const found = await ask(['-f', '--qf', '%{NAME}-%{EVR}.%{ARCH}\\n', ...paths]);
  const packages = [...new Set(found.filter((line) => /^\S+$/.test(line)))];
  if (packages.length === 0) return new Map();
  const lines = await ask(['--qf', '[%{FILENAMES}\\t%{=NAME}\\t%{=EVR}\\t%{=ARCH}\\n]', ...packages]);
  const owners = new Map<string, Package>();
  for (const [path, name, version, architecture] of lines.map((line) => line.split('\t'))) {
    if (path && name && version && architecture) owners.set(path, { type: 'rpm', name, version, architecture });
  }
  return known(paths, (path) => owners.get(path));
}

/** rpm exits with the number of paths it could not answer. */
const FAILED = Array.from({ length: 255 }, (_, index) => index + 1);

/** `/usr/bin/lvm is owned by lvm2 2.03.23-1` */
async function askPacman(paths: readonly string[]): Promise<Owners> {
  const { stdout } = await run('pacman', ['-Qo', ...paths], { accept: [1], package: 'pacman' });
  return owned(stdout, /^(\/.*) is owned by (\S+) (\S+)$/gm, 'alpm');
}

/** `/sbin/lvm is owned by lvm2-2.03.23-r3` */
async function askApk(paths: readonly string[]): Promise<Owners> {
  const { stdout } = await run('apk', ['info', '--who-owns', ...paths], { accept: [1], package: 'apk-tools' });
  return owned(stdout, /^(\/.*) is owned by (\S+)-(\d[^-]*-r\d+)$/gm, 'apk');
}

function owned(output: string, line: RegExp, type: Package['type']): Owners {
  return new Map(
    [...output.matchAll(line)].map(([, path = '', name = '', version = '']) => [path, { type, name, version }]),
  );
}

function known(paths: readonly string[], owner: (path: string) => Package | undefined): Owners {
  const owners = new Map<string, Package>();
  for (const path of paths) {
    const found = owner(path);
    if (found) owners.set(path, found);
  }
  return owners;
}
