import { stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../builder/run.ts';
import { MindiError } from '../../contract/error.ts';
import { type Bench, image } from './build.ts';
import { MINDI, median, megabytes, progress, ratio, repeated, row, type Times, timed, watchOthers } from './measure.ts';

const RUNS = 3;
const CHUNK = 'bs=4M';
/** Bytes the stick is bigger than the image. */
const SPARE = 64 << 20;

/** `mindi write` and dd on the same loop device, by turns, past the page cache; the file behind it is on this disk. */
export async function benchWrite(bench: Bench): Promise<void> {
  await bench.rounds();
  const iso = image(bench.work);
  const backing = join(bench.work, 'stick.img');
  const { size } = await stat(iso);
  await writeFile(backing, '');
  await truncate(backing, size + SPARE);
  const device = await attach(backing);
  if (!device) return row('mindi write', 'not run', 'no loop device: it needs root');
  console.log(`writing ${megabytes(size)} to a loop device and reading it back`);
  try {
    await compareWithDd(iso, device, size);
  } finally {
    await run('losetup', ['--detach', device]);
  }
}

async function attach(backing: string): Promise<string | undefined> {
  try {
    return (await run('losetup', ['--find', '--show', backing])).stdout.trim();
  } catch (error) {
    if (!(error instanceof MindiError)) throw error;
    return undefined;
  }
}

async function compareWithDd(iso: string, device: string, size: number): Promise<void> {
  const ours = { write: [] as number[], compare: [] as number[] };
  const dd = { write: [] as number[], compare: [] as number[] };
  const report = watchOthers();
  await repeated(RUNS, async (turn) => {
    progress(`mindi write and dd, ${turn + 1} of ${RUNS}`);
    dd.write.push(await timed('dd', [`if=${iso}`, `of=${device}`, CHUNK, 'oflag=direct', 'conv=fsync']));
    dd.compare.push(
      await timed('dd', [`if=${device}`, 'of=/dev/null', CHUNK, 'iflag=direct,count_bytes', `count=${size}`]),
    );
    const { stdout } = await run(MINDI, ['write', iso, device, '--force', '--yes', device, '--json']);
    const told = JSON.parse(stdout) as Record<keyof typeof ours, { seconds: number }>;
    ours.write.push(told.write.seconds);
    ours.compare.push(told.compare.seconds);
  });
  report();
  speed('write', size, ours.write, dd.write);
  speed('read back and compare', size, ours.compare, dd.compare);
}

function speed(what: string, size: number, ours: Times, theirs: Times): void {
  const rate = `${megabytes(size / median(ours))}/s`;
  row(
    what,
    rate,
    `${ratio(median(ours) / median(theirs), 'dd', 'at most 1.1')}  (dd ${megabytes(size / median(theirs))}/s)`,
  );
}
