import { type TrialResult, tryBoot } from '../../boot/trial.ts';
import { MindiError } from '../../contract/error.ts';
import { type Bench, image } from './build.ts';
import { progress, repeated, row, timeRow, watchOthers } from './measure.ts';

const RUNS = 3;
/** Seconds after which a machine will not get ready any more, without KVM. */
const TIMEOUT = 60;
/** MiB. */
const MEMORY = { usual: 512, least: 160, step: 16 } as const;

type Firmware = 'bios' | 'uefi';

/** QEMU's start to the ready line, and the smallest memory that gets there. The menu is left as soon as it shows. */
export async function benchBoot(bench: Bench): Promise<void> {
  await bench.rounds();
  const iso = image(bench.work);
  console.log(`QEMU's start to the ready line, ${MEMORY.usual} MiB, as CD`);
  const report = watchOthers();
  for (const firmware of ['bios', 'uefi'] as const) await bootTimes(iso, firmware);
  report();
  const smallest = await smallestMemory(iso);
  const fits = smallest === MEMORY.least ? ' (no less was tried)' : '';
  row('smallest memory that reaches ready', `${smallest} MiB`, `wanted: 256 MiB${fits}`);
}

async function bootTimes(iso: string, firmware: Firmware): Promise<void> {
  const kernels: number[] = [];
  const walls = await repeated(RUNS, async (turn) => {
    progress(`${firmware} boot, ${turn + 1} of ${RUNS}`);
    const { seconds, report } = await trial(iso, firmware, MEMORY.usual);
    kernels.push(report.seconds);
    return seconds;
  });
  timeRow(firmware, walls, 'wanted: at most 15 s');
  timeRow("  from the kernel's start", kernels);
}

function trial(iso: string, firmware: Firmware, memory: number): Promise<TrialResult> {
  return tryBoot({ image: iso, firmware, as: 'cdrom', memory, drives: [], devices: [], timeout: TIMEOUT });
}

/** Halves the range between what is too little and what is enough, to a step. */
async function smallestMemory(iso: string): Promise<number> {
  let tooLittle = MEMORY.least - MEMORY.step;
  let enough: number = MEMORY.usual;
  while (enough - tooLittle > MEMORY.step) {
    const middle = tooLittle + MEMORY.step * Math.floor((enough - tooLittle) / MEMORY.step / 2);
    const ready = await getsReady(iso, middle);
    progress(`${middle} MiB: ${ready ? 'ready' : 'not ready'}`);
    if (ready) enough = middle;
    else tooLittle = middle;
  }
  return enough;
}

async function getsReady(iso: string, memory: number): Promise<boolean> {
  try {
    await trial(iso, 'bios', memory);
    return true;
  } catch (error) {
    if (error instanceof MindiError && error.exitCode === 1) return false;
    throw error;
  }
}
