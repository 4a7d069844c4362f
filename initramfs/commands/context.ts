import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { parseBootParameters } from '../../contract/command-line.ts';
import type { Context } from '../boot.ts';
import { KernelModules } from '../kernel-modules.ts';
import { nobody } from '../person.ts';
import { shellPerson } from './shell-person.ts';

/** What a command in a shell works with: lines for people go to standard error, and whoever called it is asked. */
export function commandContext(): Context {
  const parameters = parseBootParameters(readFileSync('/proc/cmdline', 'utf8'));
  return {
    parameters,
    consoles: { write: (text) => void process.stderr.write(text) },
    person: process.stdin.isTTY ? shellPerson : nobody,
    modules: new KernelModules(release(), parameters),
    devices: [],
  };
}
