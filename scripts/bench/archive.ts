import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../builder/run.ts';
import type { Bench } from './build.ts';
import { MINDI, median, megabytes, progress, ratio, repeated, row, type Times, timed, watchOthers } from './measure.ts';

const RUNS = 3;
const SMALL_FILES = { folders: 100, each: 1000 };

/**
 * `mindi archive` beside tar|zstd at the same level and threads, tar that keeps as much, restic and borg, by turns:
 * this machine's /usr, and many small files. Reading comes from the page cache when all of it fits there.
 */
export async function benchArchive(bench: Bench): Promise<void> {
  const small = join(bench.work, 'small');
  await smallFiles(small);
  await compare('/usr', bench.work);
  await compare(small, bench.work);
}

/** Files of some hundred bytes of text, each another. */
async function smallFiles(folder: string): Promise<void> {
  progress(`writing ${SMALL_FILES.folders * SMALL_FILES.each} small files`);
  for (let n = 0; n < SMALL_FILES.folders; n += 1) {
    const place = join(folder, `folder-${n}`);
    await mkdir(place, { recursive: true });
    const files = Array.from({ length: SMALL_FILES.each }, (_, i) => {
      const words = Array.from({ length: (i * 7) % 50 }, (__, k) => `word${(i * k + n) % 997}`);
      return writeFile(join(place, `file-${i}.txt`), words.join(' '));
    });
    await Promise.all(files);
  }
}

/** One way of archiving a tree; gives its seconds. */
type Way = (tree: string, out: string) => Promise<number>;

const shell = (script: string) => (tree: string, out: string) => timed('sh', ['-c', script, tree, out]);

const WAYS: Record<string, Way> = {
  'tar | zstd -3 -T0': shell('tar -cf - "$0" 2>/dev/null | zstd -3 -T0 -q > "$1/tar.zst"'),
  'the same with xattrs, ACLs, nanoseconds': shell(
    'tar --format=pax --xattrs --acls -cf - "$0" 2>/dev/null | zstd -3 -T0 -q > "$1/tar.zst"',
  ),
  'mindi archive': mindiArchive,
  restic: peer('restic', 'restic init -q -r "$1/r"', 'restic -q -r "$1/r" backup "$0"'),
  borg: peer('borg', 'borg init -e none "$1/r"', 'borg create -C zstd,3 "$1/r::a" "$0" 2>/dev/null || test $? -eq 1'),
};

async function mindiArchive(tree: string, out: string): Promise<number> {
  const profile = join(out, 'bench.yaml');
  await writeFile(profile, `name: bench\narchive: { include: [${tree}], to: { directory: ${join(out, 'sets')} } }\n`);
  return timed(MINDI, ['archive', profile]);
}

/** A program with a repository, made before the clock starts. */
function peer(program: string, init: string, create: string): Way {
  return async (tree, out) => {
    const env = { RESTIC_PASSWORD: 'bench', BORG_BASE_DIR: out, RESTIC_CACHE_DIR: join(out, 'cache') };
    if ((await run('sh', ['-c', `command -v ${program}`], { accept: [127, 1] })).exitCode !== 0) return Number.NaN;
    await run('sh', ['-c', init, tree, out], { env });
    return timed('sh', ['-c', create, tree, out], { env });
  };
}

async function compare(tree: string, work: string): Promise<void> {
  const { stdout } = await run('du', ['-sxb', tree]);
  const bytes = Number(stdout.split('\t', 1)[0]);
  console.log(`archiving ${tree}: ${megabytes(bytes)}`);
  const times: Record<string, Times> = Object.fromEntries(Object.keys(WAYS).map((name) => [name, []]));
  await run('sh', ['-c', 'tar -cf - "$0" 2>/dev/null | cat > /dev/null', tree]);
  const report = watchOthers();
  await repeated(RUNS, async (turn) => {
    for (const [name, way] of Object.entries(WAYS)) {
      progress(`${name}, ${turn + 1} of ${RUNS}`);
      const out = join(work, 'archived');
      await mkdir(out);
      times[name]?.push(await way(tree, out));
      await rm(out, { recursive: true });
    }
  });
  report();
  const [floor] = Object.values(times);
  for (const [name, runs] of Object.entries(times)) {
    if (Number.isNaN(median(runs))) row(name, 'not run', 'it is not installed');
    else
      row(
        name,
        `${megabytes(bytes / median(runs))}/s`,
        ratio(
          median(floor ?? []) / median(runs),
          'the rate of tar | zstd',
          name === 'mindi archive' ? 'at least 0.9' : undefined,
        ),
      );
  }
}
