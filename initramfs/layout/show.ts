import { parseArgs } from 'node:util';
import { captureLayout } from '../../capture/capture.ts';
import { type Facts, recording } from '../../capture/machine.ts';
import { THIS_MACHINE } from './this-machine.ts';

const HELP = `mindi layout                     what is on the disks of this machine; only reads
  --facts                        what the programs said of them, to look for a fault
`;

/** `mindi layout`. Returns the exit code. */
export async function runLayout(words: readonly string[]): Promise<number> {
  const values = parse(words);
  if (!values || values.help) {
    (values ? process.stdout : process.stderr).write(HELP);
    return values ? 0 : 2;
  }
  const facts: Facts = { programs: {}, files: {} };
  const found = await captureLayout(recording(THIS_MACHINE, facts), null);
  process.stdout.write(`${JSON.stringify(values.facts ? facts : found, null, 1)}\n`);
  for (const { device, note } of found.notes) process.stderr.write(`${device} ${note}\n`);
  return 0;
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options: { facts: { type: 'boolean' }, help: { type: 'boolean' } } }).values;
  } catch (error) {
    process.stderr.write(`mindi layout: ${(error as Error).message}\n`);
    return null;
  }
}
