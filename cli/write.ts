import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import type { DeviceFacts, Progress, Target } from '../builder/write/device.ts';
import { MindiError } from '../contract/error.ts';
import { answer, answerJson, size, table, talk } from './output.ts';

interface Options {
  yes?: string;
  anyDrive?: boolean;
  force?: boolean;
  blank?: boolean;
  eject?: boolean;
  json?: boolean;
}

/** `mindi write IMAGE DEVICE`. */
export function writeCommand(): Command {
  return new Command('write')
    .description('write an image to a stick, disc or tape, read it back and compare')
    .argument('<image>', 'NAME.iso, NAME.img or NAME.tap, as `mindi build` makes them')
    .argument('<device>', 'a stick or card, /dev/sdb; a burner, /dev/sr0; a tape drive, /dev/nst0')
    .option('--yes <serial>', 'do not ask: this is the serial number of the device meant')
    .option('--force', 'write to a disk that does not say it is removable')
    .option('--blank', 'blank a rewritable disc that is written already')
    .option('--any-drive', 'write to a tape drive that does not say it can start machines ($DR-10)')
    .option('--eject', 'give the medium out when it is right')
    .option('--json', 'print what was written as JSON')
    .addHelpText(
      'after',
      `
First it shows which device that is and what is on it now, then it asks for the device's serial number. What was on the
medium is lost. Disks that are in use, or that this system is on, are never written to. An ISO and the .tap made of it give
the same tape.

Exit status: 0 written and read back the same, 1 it was not or the device cannot, 2 the call was wrong.

Examples:
  mindi write web1.iso /dev/sdb
  mindi write web1.img /dev/sdb --yes 4C530001230416117381
  mindi write web1.iso /dev/sr0 --blank --eject
  mindi write web1.tap /dev/nst0
  mindi write web1.iso /dev/nst0 --any-drive
  mindi write web1.tap /dev/nst0 --yes HU1234567X --eject --json`,
    )
    .action(write);
}

async function write(image: string, path: string, options: Options): Promise<void> {
  const { yes, anyDrive = false, force = false, blank = false, eject, json } = options;
  const [{ lookAt }, { showing }] = await Promise.all([import('../builder/write/look.ts'), import('./progress.ts')]);
  const notes: string[] = [];
  const target = await lookAt(path, { image, anyDrive, force, blank, note: (text) => notes.push(text) });
  talk(table(factRows(target.facts)));
  if (target.refusals.length > 0) throw MindiError.all(target.refusals, 'it is not written to:', 'write.refused');
  await confirm(target.facts, yes);
  const rates = await showing(TITLES, async ({ step, progress, note }) => {
    step('write');
    const written = await timed(target.size, 'written', progress, target.write);
    step('compare');
    const read = await timed(target.size, 'read', progress, target.compare);
    for (const text of new Set(notes)) note(text);
    return { write: written, compare: read };
  });
  if (eject) await target.eject();
  if (json)
    answerJson({ image, ...target.facts, holds: undefined, more: undefined, size: target.size, ...rates, notes });
  else answer(summary(image, target, rates));
}

const TITLES = { write: 'Write', compare: 'Read back and compare' };

function factRows({ device, kind, model, serial, holds, more }: DeviceFacts): (readonly string[])[] {
  return [
    ['device', `${device}, ${kind}`],
    ['model', model],
    ['serial', serial],
    ...more,
    ['holds', holds ?? 'nothing'],
  ];
}

/** What is to be overwritten is named by its serial number: by a script, or typed. */
async function confirm({ device, serial }: DeviceFacts, yes: string | undefined): Promise<void> {
  const terminal = process.stdin.isTTY && process.stderr.isTTY;
  if (yes === undefined && !terminal) {
    throw new MindiError('nobody is there to confirm it', {
      code: 'write.unconfirmed',
      where: device,
      hint: `Say --yes and the serial number of the device: --yes ${serial}`,
    });
  }
  const given = yes ?? (await ask(`All that is on it is lost. Type the serial number ${serial} to go on: `));
  if (given.trim() === serial) return;
  throw new MindiError(`the serial number is ${serial}, not ${given.trim() || 'empty'}; nothing was written`, {
    code: 'write.unconfirmed',
    where: device,
    hint: 'Make sure that this is the device you mean.',
  });
}

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question(question);
  } finally {
    terminal.close();
  }
}

interface Timing {
  seconds: number;
  /** Bytes a second. */
  rate: number;
}

async function timed(
  bytes: number,
  what: string,
  tell: (what: string, done: number, total: number) => void,
  work: (progress: Progress) => Promise<void>,
): Promise<Timing> {
  const started = performance.now();
  const seconds = () => Math.max(performance.now() - started, 1) / 1000;
  await work((done, total) => {
    const rate = done / seconds();
    const left = done < total ? `, ${Math.ceil((total - done) / Math.max(rate, 1))} s left` : '';
    tell(`${what} at ${size(Math.round(rate))}/s${left}`, done, total);
  });
  return { seconds: seconds(), rate: Math.round(bytes / seconds()) };
}

function summary(image: string, target: Target, rates: Record<keyof typeof TITLES, Timing>): string {
  const rate = ({ seconds, rate: bytes }: Timing) => `${seconds.toFixed(1)} s, ${size(bytes)}/s`;
  const rows = table([
    ['written', `${image} to ${target.facts.device}, ${size(target.size)}: ${rate(rates.write)}`],
    ['compared', `the same: ${rate(rates.compare)}`],
  ]);
  return `${rows}\n${image} is on the ${target.facts.kind}, byte by byte; machines can start from it.`;
}
