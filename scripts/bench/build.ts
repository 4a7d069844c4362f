import { join } from 'node:path';
import fs from 'fs-extra';
import { cacheDirectory } from '../../builder/cache.ts';
import { gather } from '../../builder/gather.ts';
import type { KernelTree } from '../../builder/kernel/source.ts';
import { type Plan, plan } from '../../builder/plan.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { run } from '../../builder/run.ts';
import { slimmed } from '../../builder/tools/slim.ts';
import type { Contents, Manifest } from '../../contract/manifest.ts';
import { type Built, median, megabytes, mindiBuild, progress, row, timed, timeRow, watchOthers } from './measure.ts';

const RUNS = 3;
/** As many as the machines have on which the figures in the documents were measured. */
const WORKERS = 2;
/** What unpacks a file of that name to standard output, as the builder unpacks modules. */
const UNPACKERS: Record<string, string> = { xz: 'xz -dcq', zst: 'zstd -dcq', gz: 'gzip -dcq' };

/** One cold build and, right after it, what its bytes cost at least. */
export interface Round {
  cold: Built;
  /** Seconds. */
  packing: number;
  writing: number;
}

/** What the parts of one run share, so that `standalone` is built cold once whatever is asked for. */
export interface Bench {
  /** A directory for everything, removed at the end. */
  work: string;
  kernel: () => Promise<KernelTree>;
  rounds: () => Promise<Round[]>;
}

/** What is built from is read first, so that the builds find it in the page cache and the kernel unpacked. */
export function newBench(work: string): Bench {
  const inputs = once(async () => gather(await loadProfile('standalone'), () => {}));
  return {
    work,
    kernel: async () => (await inputs()).kernel,
    rounds: once(async () => coldRounds(work, plan(await inputs()))),
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Build and floor take turns: what slows the machine down for a while slows both. */
async function coldRounds(work: string, { manifest, contents }: Plan): Promise<Round[]> {
  const rounds: Round[] = [];
  const pack = floorPack(work, manifest, contents);
  const report = watchOthers();
  for (let turn = 0; turn < RUNS; turn += 1) {
    progress(`cold build of standalone and its floor, ${turn + 1} of ${RUNS}`);
    const out = turn === 0 ? 'cold' : `cold-${turn}`; // each time to a new place, as the floor: truncating takes time
    const cold = await mindiBuild('standalone', join(work, out), emptyCache(join(work, `cache-${turn}`)));
    rounds.push({ cold, packing: await pack(), writing: await floorWrite(work, turn) });
  }
  console.log('cold build of standalone and its floor, in turns');
  report();
  return rounds;
}

export function coldSeconds(rounds: readonly Round[]): number {
  return median(rounds.map(({ cold }) => cold.seconds));
}

/** A cache that knows the unpacked kernels and when this machine was first captured, and nothing else. */
function emptyCache(cache: string): string {
  fs.ensureDirSync(cache);
  for (const kept of ['kernels', 'captures']) {
    fs.ensureDirSync(cacheDirectory(kept));
    fs.symlinkSync(cacheDirectory(kept), join(cache, kept));
  }
  return cache;
}

export function image(work: string): string {
  return join(work, 'cold/standalone.iso');
}

/** A cold build (kernel unpacked, mindi's cache empty) beside the floor: the same bytes read, compressed and written. */
export async function benchBuild(bench: Bench): Promise<void> {
  const rounds = await bench.rounds();
  const colds = rounds.map(({ cold }) => cold);
  const ratios = rounds.map(({ cold, packing, writing }) => cold.seconds / (packing + writing));
  const each = ratios.map((value) => value.toFixed(2)).join(', ');
  row('mindi build / floor', median(ratios).toFixed(2), `wanted: at most 1.5  (${each})`);
  timeRow(
    'mindi build standalone',
    colds.map(({ seconds }) => seconds),
  );
  stepRows(colds);
  timeRow(
    'the floor',
    rounds.map(({ packing, writing }) => packing + writing),
  );
  timeRow(
    '  read and zstd',
    rounds.map(({ packing }) => packing),
  );
  timeRow(
    '  xorriso',
    rounds.map(({ writing }) => writing),
  );
}

/** Where the seconds of a build go; what no step accounts for is Node's start and loading the code. */
function stepRows(builds: readonly Built[]): void {
  const names = builds[0]?.steps.map(({ name }) => name) ?? [];
  const steps = (built: Built) => built.steps.reduce((sum, { seconds }) => sum + seconds, 0);
  for (const name of names) {
    const times = builds.map((built) => built.steps.find((step) => step.name === name)?.seconds ?? 0);
    timeRow(`  ${name}`, times);
  }
  timeRow(
    '  Node and loading',
    builds.map((built) => built.seconds - steps(built)),
  );
}

/** Every file of the plan once, read and compressed at its segment's level by as many workers as the builder has. */
function floorPack(work: string, manifest: Manifest, contents: Contents): () => Promise<number> {
  const commands: string[] = [];
  for (const [level, paths] of pathsByLevel(work, manifest, contents)) {
    const lists = [...Map.groupBy(paths, unpacker)].map(([program, files], index) => {
      const list = join(work, `floor-${level}-${index}`);
      fs.writeFileSync(list, files.map((path) => `${path}\0`).join(''));
      return `xargs -0 ${program} <'${list}'`;
    });
    commands.push(
      `{ ${lists.join('; ')}; } | zstd -q -f -${level} -T${WORKERS} -o '${join(work, `floor-${level}.zst`)}'`,
    );
  }
  return () => timed('sh', ['-c', commands.join(' && ')]);
}

function unpacker(path: string): string {
  return UNPACKERS[/\.ko\.(\w+)$/.exec(path)?.[1] ?? ''] ?? 'cat';
}

/** Files that are compressed, each where it comes first. */
function pathsByLevel(work: string, manifest: Manifest, contents: Contents): Map<number, string[]> {
  const seen = new Set<string>();
  const levels = new Map<number, string[]>();
  for (const { level, entries } of manifest.segments) {
    if (level === null) continue;
    const paths = levels.get(level) ?? [];
    levels.set(level, paths);
    for (const entry of entries) {
      const content = entry.type === 'file' && !seen.has(entry.sha256) ? contents.get(entry.sha256) : undefined;
      if (entry.type === 'file') seen.add(entry.sha256);
      if (content && content.from !== 'bytes')
        paths.push(content.from === 'runtime' ? slimFile(work, content.path) : content.path);
    }
  }
  return levels;
}

/** What is packed of the runtime, as a file. */
function slimFile(work: string, program: string): string {
  const path = join(work, 'floor-runtime');
  fs.writeFileSync(path, slimmed(program));
  return path;
}

/** The payload of the image, written by xorriso alone, each time to a new file. */
async function floorWrite(work: string, turn: number): Promise<number> {
  const payload = join(work, `payload-${turn}`);
  const take = ['-no_rc', '-indev', `stdio:${image(work)}`, '-extract', '/mindi', payload];
  await run('osirrox', take, { package: 'xorriso' });
  return timed('xorriso', ['-no_rc', '-as', 'mkisofs', '-quiet', '-o', join(work, `floor-${turn}.iso`), payload]);
}

/** A whole process again after nothing but the mountlist changed. */
export async function benchWarm({ work }: Bench): Promise<void> {
  const profile = join(work, 'warm.yaml');
  const cache = emptyCache(join(work, 'cache-warm'));
  const mountlist = (size: number) => fs.writeFile(join(work, 'mountlist.txt'), `/dev/sda1 / ext4 ${size}\n`);
  await fs.writeFile(profile, 'name: warm\nextends: standalone\nmountlist: { file: mountlist.txt }\n');
  const built = async (turn: number) => {
    progress(turn === 0 ? 'the build before the warm ones' : `warm rebuild, ${turn} of ${RUNS}`);
    await mountlist(1_000_000 + turn);
    return mindiBuild(profile, join(work, 'warm'), cache);
  };
  await built(0);
  const report = watchOthers();
  const warms = [await built(1), await built(2), await built(3)];
  console.log('warm rebuild, another mountlist');
  report();
  timeRow(
    'mindi build',
    warms.map(({ seconds }) => seconds),
    'wanted: under 1 s',
  );
  stepRows(warms);
}

/** Where the bytes of the image are. */
export async function benchSize(bench: Bench): Promise<void> {
  const built = (await bench.rounds())[0]?.cold;
  const whole = built?.media[0]?.size ?? Number.NaN;
  const parts = built?.parts ?? [];
  const named = parts.reduce((sum, part) => sum + part.size, 0);
  console.log('the ISO of standalone');
  row('standalone.iso', megabytes(whole), 'wanted: at most 100 MB');
  for (const { name, size, files } of parts) {
    row(`  ${name}`, megabytes(size), files === size ? '' : `of ${megabytes(files)} in files`);
  }
  row('  boot loaders, tables, padding', megabytes(whole - named));
}
