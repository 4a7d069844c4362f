import { basename, dirname, resolve } from 'node:path';
import { type RunOptions, type RunResult, run } from '../builder/run.ts';
import type { Source } from './medium.ts';

/** A FAT file system in a file: an image of its own, or a partition of one. */
export interface Fat {
  image: string;
  /** Bytes from the image's start. */
  offset: number;
}

/** The first moment FAT can name, and the last: 1980 and 2107. Seconds since 1970. */
const FIRST = 315_532_800;
const LAST = 4_354_819_198;

/** Milliseconds; a damaged file system can send mtools round in circles. */
const LONGEST = 600_000;

/**
 * What makes mtools write the same bytes everywhere (4.0.32 and later take their time from SOURCE_DATE_EPOCH) and read
 * nobody's configuration.
 */
export function mtoolsEnvironment(epoch: number): Record<string, string> {
  const time = Math.min(Math.max(epoch, FIRST), LAST);
  return {
    SOURCE_DATE_EPOCH: String(time),
    TZ: 'UTC',
    LC_ALL: 'C.UTF-8',
    MTOOLSRC: '/dev/null',
    MTOOLS_SKIP_CHECK: '1',
  };
}

/**
 * Runs a program of mtools on the file system; in its arguments `::/` is the root.
 * @param options `epoch`: the time of what is written, seconds since 1970
 */
export function mtools(
  program: string,
  { image, offset }: Fat,
  args: readonly string[],
  options: Pick<RunOptions, 'input' | 'stdoutFile'> & { epoch?: number } = {},
): Promise<RunResult> {
  const { epoch = FIRST, ...more } = options;
  // In the name of an image @@ would be taken for the offset, so its directory is left out; our own names have none.
  const place = ['-i', `${basename(image)}@@${offset}`];
  const cwd = dirname(resolve(image));
  return run(program, [...place, ...args], {
    ...more,
    cwd,
    env: mtoolsEnvironment(epoch),
    package: 'mtools',
    timeout: LONGEST,
  });
}

/** Every folder of these files, parents first. */
export function folders(files: ReadonlyMap<string, Source>): string[] {
  const all = [...files.keys()].flatMap((path) => {
    const names = path.split('/').slice(0, -1);
    return names.map((_, index) => names.slice(0, index + 1).join('/'));
  });
  return [...new Set(all)].sort();
}

export async function makeFolders(fat: Fat, files: ReadonlyMap<string, Source>, epoch?: number): Promise<void> {
  const paths = folders(files).map((path) => `::/${path}`);
  await mtools('mmd', fat, paths, { epoch });
}

/** Writes the files, in their order, into folders that are there. */
export async function writeFiles(fat: Fat, files: ReadonlyMap<string, Source>, epoch?: number): Promise<void> {
  for (const [path, source] of files) {
    const [from, input] = typeof source === 'string' ? [resolve(source)] : ['-', source];
    await mtools('mcopy', fat, [from, `::/${path}`], { epoch, input });
  }
}
