import { join } from 'node:path';
import { readModinfo } from 'node-kmod-deps';
import { resolveDrivers } from '../../builder/drivers/resolve.ts';
import { openKernelTree } from '../../builder/drivers/tree.ts';
import { resolveKernel } from '../../builder/kernel/source.ts';
import { run } from '../../builder/run.ts';
import { modaliasOf, realModaliases } from '../../test/modaliases.ts';
import type { Bench } from './build.ts';
import { median, progress, ratio, row, type Times, timed, watchOthers } from './measure.ts';

const RUNS = 5;
const DEVICES = 400;
/** As many modules as mkosi gives to one modinfo. */
const BATCH = 8500;
/** Names asked one by one: a process each is slow. */
const ONE_BY_ONE = 200;

/** Milliseconds that a process which has just started needs for each part. */
interface Cold {
  modules: number;
  patterns: number;
  open: number;
  resolve: number;
  index: number;
  match: number;
  order: number;
  closure: number;
  modinfo: number;
  /** What the set `all` chooses. */
  names: string[];
}

/** Choosing drivers, beside what modprobe and modinfo need for the same. */
export async function benchDrivers({ work }: Bench): Promise<void> {
  const { modulesDir, release } = await resolveKernel('failsafe');
  const report = watchOthers();
  progress('drivers: the set all, cold');
  const cache = join(work, 'cache-drivers');
  const first = await cold(modulesDir, cache);
  const runs: Cold[] = [];
  for (let i = 0; i < RUNS; i += 1) runs.push(await cold(modulesDir, cache));
  const times = (part: Exclude<keyof Cold, 'names'>): Times => runs.map((each) => each[part]);
  console.log(
    `drivers of ${release}: ${first.modules} modules, ${first.patterns} alias patterns; each run a new process`,
  );
  const resolved = runs.map(({ open, resolve }) => open + resolve);
  milliseconds(`the set all: ${first.names.length} modules`, resolved, 'wanted: under 1 s');
  milliseconds('  the first time, with every .modinfo', [first.open + first.resolve]);
  milliseconds(`${DEVICES} devices against all patterns`, times('match'), 'wanted: about 20 ms');
  milliseconds('  and the index of the patterns', times('index'));
  await besideModprobe(modulesDir, release, first.names, median(times('order')));
  await besideModinfo(modulesDir, first.names, median(times('closure')) + median(times('modinfo')));
  report();
}

async function cold(modulesDir: string, cache: string): Promise<Cold> {
  const args = ['--conditions=source', import.meta.filename, modulesDir];
  const { stdout } = await run(process.execPath, args, { env: { MINDI_CACHE: cache } });
  return JSON.parse(stdout) as Cold;
}

/** The order in which to load each module, as we find it and as modprobe prints it. */
async function besideModprobe(modulesDir: string, release: string, names: readonly string[], ours: number) {
  progress('drivers: modprobe --show-depends');
  const base = modulesDir.slice(0, -`/lib/modules/${release}`.length);
  const modprobe = ['-d', base, '-S', release, '-C', '/dev/null', '--show-depends'];
  const all = await timed('modprobe', [...modprobe, '-a', ...names]);
  const began = performance.now();
  for (const name of names.slice(0, ONE_BY_ONE)) await run('modprobe', [...modprobe, name]);
  const each = (performance.now() - began) / ONE_BY_ONE;
  milliseconds(`load order of ${names.length} modules, tree opened`, [ours]);
  milliseconds('  modprobe, one process for all', [all * 1000], ratio((all * 1000) / ours, 'ours'));
  const single = (each * names.length) / ours;
  milliseconds(`  modprobe, a process each (from ${ONE_BY_ONE})`, [each * names.length], ratio(single, 'ours'));
}

/** Dependencies and firmware: our closure and every .modinfo, and mkosi's rounds of modinfo until nothing is new. */
async function besideModinfo(modulesDir: string, names: readonly string[], ours: number) {
  progress('drivers: modinfo by batches');
  const tree = await openKernelTree(modulesDir);
  const began = performance.now();
  const known = new Set<string>();
  let fresh = [...names];
  while (fresh.length > 0) {
    const files = fresh.flatMap((name) => tree.file(name) ?? []).slice(0, BATCH);
    for (const name of fresh) known.add(name);
    const { stdout } = await run('modinfo', ['-0', ...files]);
    const wanted = stdout
      .split('\0')
      .flatMap((item) => /^(?:depends|softdep)=(.*)/s.exec(item)?.[1]?.split(/[\s,]+/) ?? []);
    const found = wanted.filter((word) => word && !word.endsWith(':')).flatMap((word) => tree.matchAlias(word));
    fresh = [...new Set(found)].filter((name) => !known.has(name) && tree.has(name));
  }
  const theirs = performance.now() - began;
  milliseconds(`closure and .modinfo of ${names.length} modules`, [ours]);
  milliseconds('  modinfo in batches, as mkosi does', [theirs], ratio(theirs / ours, 'ours'));
}

function milliseconds(what: string, times: Times, beside = ''): void {
  const runs = times.length > 1 ? `(${times.map((time) => time.toFixed(0)).join(', ')})` : '';
  row(what, `${median(times).toFixed(0)} ms`, [beside, runs].filter(Boolean).join('  '));
}

async function measureCold(modulesDir: string): Promise<Cold> {
  const clock = async <T>(work: () => T | Promise<T>): Promise<[number, T]> => {
    const began = performance.now();
    const result = await work();
    return [performance.now() - began, result];
  };
  const [open, tree] = await clock(() => openKernelTree(modulesDir));
  const [resolve, { modules }] = await clock(() => resolveDrivers({ tree, sets: ['all'] }));
  const names = [...modules.keys()];
  // Parts of their own see a tree that nothing was asked of before.
  const another = await openKernelTree(modulesDir);
  const patterns = another.aliases.length;
  const step = Math.floor(patterns / DEVICES);
  const made = another.aliases.filter((_, i) => i % step === 0).map(({ pattern }, i) => modaliasOf(pattern, i));
  const devices = [...realModaliases(), ...made].slice(0, DEVICES);
  const [index] = await clock(() => another.matchAlias('pci:'));
  const [match] = await clock(() => devices.map((modalias) => another.matchAlias(modalias)));
  const [order] = await clock(async () => {
    const fresh = await openKernelTree(modulesDir);
    return names.map((name) => fresh.loadOrder(name));
  });
  const [closure] = await clock(async () => {
    const fresh = await openKernelTree(modulesDir);
    return fresh.closure(names, { families: false });
  });
  const files = names.flatMap((name) => tree.file(name) ?? []);
  const [modinfo] = await clock(() => Promise.all(files.map((file) => readModinfo(file))));
  return { modules: tree.names.length, patterns, open, resolve, index, match, order, closure, modinfo, names };
}

if (import.meta.main) console.log(JSON.stringify(await measureCold(process.argv[2] ?? '')));
