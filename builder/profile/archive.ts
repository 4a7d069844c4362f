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
  return [...relativePaths(said, problem), ...sizes(said, problem), ...levels(said, problem)];
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
  return (['volume', 'excludeLargerThan'] as const).flatMap((key) => {
    const size = archive[key];
    if (typeof size !== 'string' && typeof size !== 'number') return [];
    const bytes = parseSize(String(size));
    if (bytes === null)
      return problem([key], `archive.${key} says ${JSON.stringify(size)}, which is no size`, 'As 700MiB, 4.7GB, 25G.');
    if (key === 'volume' && bytes < SMALLEST_VOLUME)
      return problem([key], `archive.volume is only ${bytes} bytes`, 'A volume has at least 4MiB.');
    return [];
  });
}

function levels({ compression, level }: Archive, problem: Problem): MindiError[] {
  if (typeof level !== 'number') return [];
  const { least, most } = LEVELS[compression ?? 'zstd'] ?? LEVELS.zstd;
  if (level >= least && level <= most) return [];
  return [problem(['level'], `${compression ?? 'zstd'} has no level ${level}`, `It has ${least} to ${most}.`)];
}
