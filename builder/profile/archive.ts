import { LEVELS } from '../../contract/archive-set.ts';
import { MindiError } from '../../contract/error.ts';
import { INHERITED } from '../../contract/settings/fields.ts';
import { type Located, nodeAt, plain } from '../../contract/settings/yaml.ts';
import type { ProfileFile } from './schema.ts';
import { parseSize } from './size.ts';

type Archive = NonNullable<ProfileFile['archive']>;
type Path = (string | number)[];

/** Bytes; a smaller volume would be full with what tells about it. */
const SMALLEST_VOLUME = 4 << 20;

/** What the schema cannot see of `archive:`, each at its file:line:column. */
export function checkArchive(root: Located): MindiError[] {
  const said = (plain(root) as { archive?: Archive } | null)?.archive;
  if (typeof said !== 'object' || said === null) return [];
  const problem = (path: Path, message: string, hint: string) =>
    new MindiError(message, { code: 'profile.archive', where: nodeAt(root, ['archive', ...path]).place, hint });
  return [
    ...relativePaths(said, problem),
    ...sizes(said, problem),
    ...levels(said, problem),
    ...targets(said, problem),
    ...encryption(said, problem),
  ];
}

type Problem = (path: Path, message: string, hint: string) => MindiError;

function relativePaths({ include, exclude }: Archive, problem: Problem): MindiError[] {
  const lists = { include: Array.isArray(include) ? include : [], exclude: Array.isArray(exclude) ? exclude : [] };
  return Object.entries(lists).flatMap(([key, paths]) =>
    paths.flatMap((path, n) => {
      const wrong = typeof path === 'string' && path !== INHERITED && !path.startsWith('/');
      const name = key === 'exclude' && typeof path === 'string' && !path.includes('/');
      if (!wrong || name) return [];
      return problem([key, n], `archive.${key} has ${JSON.stringify(path)}, which is relative`, 'Write it from / on.');
    }),
  );
}

function sizes(archive: Archive, problem: Problem): MindiError[] {
  const { volume, excludeLargerThan } = archive;
  const volumes = Array.isArray(volume) ? volume.map((one, n) => [['volume', n], one] as const) : [];
  const said = [...volumes, [['volume'], volume] as const, [['excludeLargerThan'], excludeLargerThan] as const];
  return said.flatMap(([path, size]) => {
    if (typeof size !== 'string' && typeof size !== 'number') return [];
    const bytes = parseSize(String(size));
    const name = `archive.${path[0]}`;
    if (bytes === null)
      return problem([...path], `${name} says ${JSON.stringify(size)}, which is no size`, 'As 700MiB, 4.7GB, 25G.');
    if (path[0] === 'volume' && bytes < SMALLEST_VOLUME)
      return problem([...path], `${name} is only ${bytes} bytes`, 'A volume has at least 4MiB.');
    return [];
  });
}

/** Of records on a tape, in bytes: what Linux's driver and most drives can do. */
const LARGEST_RECORD = 1 << 20;

function targets({ to }: Archive, problem: Problem): MindiError[] {
  if (typeof to !== 'object' || to === null) return [];
  const problems: MindiError[] = [];
  const address = 'url' in to ? to.url : 'iso' in to && isAddress(to.iso) ? to.iso : undefined;
  if (typeof address === 'string') {
    const key = 'url' in to ? 'url' : 'iso';
    const schemes = key === 'url' ? [...MOUNTED, ...WEB] : MOUNTED;
    if (!isClassic(address) && !schemes.some((scheme) => address.startsWith(`${scheme}://`)))
      problems.push(
        problem(
          ['to', key],
          `archive.to.${key} is no address mindi can write to`,
          `It begins with ${schemes.join('://, ')}://.`,
        ),
      );
    else if (/:\/\/[^/@]*:[^/@]*@/.test(address))
      problems.push(
        problem(
          ['to', key],
          'the address has a password in it',
          'Put it into a file of your own, and name that under credentials.',
        ),
      );
  }
  const record = 'tape' in to && to.blockSize !== undefined ? parseSize(String(to.blockSize)) : 512;
  if (record === null || record % 512 !== 0 || record > LARGEST_RECORD)
    problems.push(problem(['to', 'blockSize'], 'this is no size of a tape record', 'A multiple of 512 up to 1MiB.'));
  return problems;
}

/** Servers whose directories are mounted, and those that take files one by one. */
const MOUNTED = ['nfs', 'smb', 'cifs', 'sshfs', 'sftp'];
const WEB = ['https', 'http', 's3', 's3+https', 's3+http'];
/** `server:/path`, as mount.nfs takes it. */
const isClassic = (text: string) => /^[\w.[\]-]+:\//.test(text) && !text.includes('://');
const isAddress = (text: unknown): text is string =>
  typeof text === 'string' && (/^\w[\w+.-]*:\/\//.test(text) || isClassic(text));

function encryption({ encryption: said }: Archive, problem: Problem): MindiError[] {
  if (typeof said !== 'object' || said === null || said.age || said.passphraseFile) return [];
  return [problem(['encryption'], 'archive.encryption names no key', 'age: [age1…], passphraseFile: FILE, or both.')];
}

function levels({ compression, level }: Archive, problem: Problem): MindiError[] {
  if (typeof level !== 'number') return [];
  const { least, most } = LEVELS[compression ?? 'zstd'] ?? LEVELS.zstd;
  if (level >= least && level <= most) return [];
  return [problem(['level'], `${compression ?? 'zstd'} has no level ${level}`, `It has ${least} to ${most}.`)];
}
