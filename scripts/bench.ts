import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import fs from 'fs-extra';
import { tryBoot } from '../boot/trial.ts';
import { cacheDirectory } from '../builder/cache.ts';
import { gather } from '../builder/gather.ts';
import { plan } from '../builder/plan.ts';
import { loadProfile } from '../builder/profile/load.ts';
import { scratch } from '../builder/scratch.ts';
import type { Content } from '../contract/manifest.ts';

/**
 * What mindi costs, beside a floor and a peer measured in the same run. Ratios are what counts: absolute times are this
 * machine's. `npm run bench -- build` or `boot` runs one part.
 */
const PARTS: Record<string, (work: string) => Promise<void>> = { build: benchBuild, boot: benchBoot };
const ROOT = join(import.meta.dirname, '..');
/** As builder/plan.ts compresses. */
const LEVEL = 6;

/** Seconds of a whole process; its output is shown only when it fails. */
function seconds(argv: readonly string[], env: Record<string, string> = {}): number {
  const [program = '', ...args] = argv;
  const started = performance.now();
  const result = spawnSync(program, args, { env: { ...process.env, ...env }, encoding: 'utf8', maxBuffer: 1 << 30 });
  if (result.status !== 0) throw new Error(`${argv.join(' ')}: ${result.error ?? result.stderr}`);
  return (performance.now() - started) / 1000;
}

const median = (times: number[]) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
const line = (what: string, value: number, unit: string, note = '') =>
  console.log(`${what.padEnd(44)} ${value.toFixed(2).padStart(8)} ${unit.padEnd(4)} ${note}`);

/** A cold build (kernel unpacked, mindi's cache empty), the floor of the same work, a warm one, and dracut. */
async function benchBuild(work: string): Promise<void> {
  const out = join(work, 'out');
  const build = (cache: string) =>
    seconds([join(ROOT, 'bin/mindi.js'), 'build', 'standalone', '--out', out], { MINDI_CACHE: cache });
  const colds = [1, 2, 3].map((run) => build(emptyCache(join(work, `cache-${run}`))));
  const cold = median(colds);
  const warm = median([1, 2, 3].map(() => build(join(work, 'cache-1'))));
  const floor = await floorOf(work, join(out, 'standalone.iso'));
  line('cold build of standalone', cold, 's', `${(cold / floor).toFixed(2)} x the floor`);
  line('the floor: read, zstd, xorriso', floor, 's');
  line('warm rebuild', warm, 's');
  line('ISO of standalone', (await fs.stat(join(out, 'standalone.iso'))).size / 1e6, 'MB');
  await benchDracut(work, cold);
}

/** A cache with the unpacked kernels and nothing else. */
function emptyCache(cache: string): string {
  fs.ensureDirSync(cache);
  for (const kept of ['kernels', 'captures']) {
    fs.ensureDirSync(cacheDirectory(kept));
    fs.symlinkSync(cacheDirectory(kept), join(cache, kept));
  }
  return cache;
}

/** The same files read and compressed at the same level by two workers, and the same payload put into an ISO. */
async function floorOf(work: string, iso: string): Promise<number> {
  const { manifest, contents } = plan(await gather(await loadProfile('standalone'), () => {}));
  const wanted = new Set(
    manifest.segments.flatMap(({ entries }) => entries.flatMap((e) => (e.type === 'file' ? [e.sha256] : []))),
  );
  const sources = [...wanted].flatMap((sha256) => {
    const content = contents.get(sha256) as Content | undefined;
    return content && content.from !== 'bytes' ? [content.path] : [];
  });
  const list = join(work, 'files');
  await fs.writeFile(list, sources.map((path) => `${path}\0`).join(''));
  const packed = join(work, 'floor.zst');
  const pack = () => seconds(['sh', '-c', `xargs -0 cat <"$1" | zstd -q -f -${LEVEL} -T2 -o "$2"`, 'sh', list, packed]);
  const payload = join(work, 'payload');
  await fs.ensureDir(payload);
  await fs.copy(iso, join(payload, 'payload.bin'));
  const write = () => seconds(['xorriso', '-as', 'mkisofs', '-quiet', '-o', join(work, 'floor.iso'), payload]);
  return median([pack(), pack(), pack()]) + median([write(), write(), write()]);
}

/** dracut on the same kernel, where it is installed. */
async function benchDracut(work: string, cold: number): Promise<void> {
  if (spawnSync('dracut', ['--version']).error) {
    console.log('dracut is not installed, so there is no peer in this run (Debian: apt-get install dracut-core)');
    return;
  }
  const { kernel } = await gather(await loadProfile('standalone'), () => {});
  const argv = ['dracut', '--no-hostonly', '--force', '--kver', kernel.release, '--kmoddir', kernel.modulesDir];
  const peer = seconds([...argv, '--kernel-image', kernel.image, join(work, 'dracut.img')]);
  line('dracut --no-hostonly, initrd only', peer, 's', `${(peer / cold).toFixed(1)} x our cold build of the whole ISO`);
}

/** QEMU's start to the ready line, and the smallest memory that gets there. */
async function benchBoot(work: string): Promise<void> {
  seconds([join(ROOT, 'bin/mindi.js'), 'build', 'standalone', '--out', work]);
  const image = join(work, 'standalone.iso');
  const boot = (firmware: 'bios' | 'uefi', memory: number) =>
    tryBoot({ image, firmware, as: 'cdrom', memory, drives: [], devices: [], timeout: 120 });
  for (const firmware of ['bios', 'uefi'] as const) {
    const { seconds: wall, report } = await boot(firmware, 512);
    line(
      `${firmware} CD, QEMU's start to ready, 512 MiB`,
      wall,
      's',
      `${report.seconds} s of it after the kernel's start`,
    );
  }
  let smallest = 256;
  for (let memory = 240; memory >= 160; memory -= 16) {
    if (!(await boot('bios', memory).catch(() => undefined))) break;
    smallest = memory;
  }
  line('smallest memory that reaches ready', smallest, 'MiB');
}

await using work = await scratch('bench');
const asked = process.argv.slice(2);
for (const [name, part] of Object.entries(PARTS)) if (asked.length === 0 || asked.includes(name)) await part(work.path);
