import { readFile } from 'node:fs/promises';
import type { Machine } from '../../capture/machine.ts';
import { run } from '../process.ts';

/** Seconds: a disk that hangs must not hold up the rest for ever. */
const LIMIT = 60;

/** This machine, to be asked for its disks. */
export const THIS_MACHINE: Machine = {
  run: (program, args) => run(program, args, { limit: LIMIT, env: { LC_ALL: 'C', LVM_SUPPRESS_FD_WARNINGS: '1' } }),
  read: (path) => readFile(path, 'utf8').catch(() => null),
};
