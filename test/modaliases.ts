import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Modaliases of the hardware files and of QEMU's devices. */
export function realModaliases(): string[] {
  const fixtures = join(import.meta.dirname, 'fixtures');
  const files = readdirSync(join(fixtures, 'hardware')).filter((name) => name.endsWith('.json'));
  const machines = files.map((name) => JSON.parse(readFileSync(join(fixtures, 'hardware', name), 'utf8')));
  const qemu = readFileSync(join(fixtures, 'qemu-modaliases.txt'), 'utf8').split('\n');
  const lines = qemu.filter((line) => line && !line.startsWith('#'));
  return [...new Set([...machines.flatMap(({ modaliases }) => modaliases as string[]), ...lines])].sort();
}

/** What stands for `*`, in turn. */
const FILLINGS = ['0', '', '1F'];

/** A modalias that a pattern matches: `pci:v00008086d*bc[0-9]` -> `pci:v00008086d0bc0`. */
export function modaliasOf(pattern: string, turn: number): string {
  return pattern
    .replace(/\[(.)[^\]]*\]/g, '$1')
    .replaceAll('*', FILLINGS[turn % FILLINGS.length] ?? '')
    .replaceAll('?', '7');
}
