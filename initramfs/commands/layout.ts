import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Facts, Machine } from '../../capture/machine.ts';
import { run } from '../process.ts';
import type { Command } from './index.ts';

/** The disks of this machine as data. */
export const layout: Command = {
  name: 'layout',
  about: 'write down what is on the disks, as data: JSON, which reads as YAML',
  run: runLayout,
};

const HELP = `mindi layout                     what is on the disks of this machine; only reads
  --facts                        what the programs said of them, to look for a fault
`;

/** Seconds: a disk that hangs must not hold up the rest for ever. */
const LIMIT = 60;

const THIS: Machine = {
  run: (program, args) => run(program, args, { limit: LIMIT, env: { LC_ALL: 'C', LVM_SUPPRESS_FD_WARNINGS: '1' } }),
  read: (path) => readFile(path, 'utf8').catch(() => null),
};

async function runLayout(words: readonly string[]): Promise<number> {
  const values = parse(words);
  if (!values || values.help) {
    (values ? process.stdout : process.stderr).write(HELP);
    return values ? 0 : 2;
  }
  const { captureLayout } = await import('../../capture/capture.ts');
  const { recording } = await import('../../capture/machine.ts');
  const facts: Facts = { programs: {}, files: {} };
  const found = await captureLayout(recording(THIS, facts), null);
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
