import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Cell, Coverage } from '../builder/coverage/types.ts';

const KERNEL_ARCHIVES = resolve('test/fixtures/kernels');

/** A kernels file for the three fixture kernels; the cloud flavour informs. `more` is YAML that follows. */
export const threeKernels = (more = ''): string => `kernels:
  - { name: bookworm, title: Debian 12, modules: ${join(KERNEL_ARCHIVES, 'bookworm-amd64.tar.xz')} }
  - { name: cloud, modules: ${join(KERNEL_ARCHIVES, 'bookworm-cloud-amd64.tar.xz')}, uncovered: inform }
  - { name: trixie, modules: ${join(KERNEL_ARCHIVES, 'trixie-amd64.tar.xz')} }
${more}`;

/** One cell, by the row's id. */
export function cellOf(coverage: Coverage, row: string, kernel: string): Cell {
  const cell = coverage.rows.find(({ id }) => id === row)?.cells[kernel];
  if (!cell) throw new Error(`there is no cell ${row} on ${kernel}`);
  return cell;
}

/** Sum of the sizes in a kernel's list. */
export const bytesOf = (coverage: Coverage, kernel: string, by: 'byDirectory' | 'bySet'): number =>
  (coverage.kernels.find(({ name }) => name === kernel)?.sizes?.[by] ?? []).reduce((sum, { bytes }) => sum + bytes, 0);

/** Columns of a fixture kernel's modinfo.tsv: name and bytes. */
export function recordedSizes(file: string): Map<string, number> {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(1);
  return new Map(lines.map((line) => [line.split('\t')[1] ?? '', Number(line.split('\t')[3])]));
}
