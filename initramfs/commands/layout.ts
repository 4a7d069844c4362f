import { parseArgs } from 'node:util';
import type { Facts } from '../../capture/machine.ts';
import type { Command } from './index.ts';
import { THIS_MACHINE } from './this-machine.ts';

/** The disks of this machine as data. */
export const layout: Command = {
  name: 'layout',
  about: 'write down what is on the disks, as data: JSON, which reads as YAML',
  run: runLayout,
};

const HELP = `mindi layout                     what is on the disks of this machine; only reads
  --facts                        what the programs said of them, to look for a fault
`;

async function runLayout(words: readonly string[]): Promise<number> {
  const values = parse(words);
  if (!values || values.help) {
    (values ? process.stdout : process.stderr).write(HELP);
    return values ? 0 : 2;
  }
  const { captureLayout } = await import('../../capture/capture.ts');
  const { recording } = await import('../../capture/machine.ts');
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
