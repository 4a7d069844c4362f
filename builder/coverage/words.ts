import type { Cell, Column, Coverage, Row, Status } from './types.ts';

/** How people read a status. */
export const WORDS: Record<Status, string> = {
  module: 'module',
  builtin: 'built in',
  'needs-none': 'needs none',
  excepted: 'excepted',
  'not-on-media': 'not on the media',
  absent: 'no driver',
  unavailable: 'no kernel',
};

/** What `absent` says when there is no more to say. */
export const NO_DRIVER = 'this kernel has no driver for it';

/** Statuses of a device that works. */
const COVERED: readonly Status[] = ['module', 'builtin', 'needs-none', 'excepted'];

export const isCovered = ({ status }: Cell): boolean => COVERED.includes(status);

/** A cell that has no driver, and where it is. */
export interface Gap {
  row: Row;
  kernel: Column;
  cell: Cell;
}

/** Required devices without driver: those that fail first, then those that only inform. */
export function gapsOf({ kernels, rows }: Coverage): { failing: Gap[]; informing: Gap[] } {
  const gaps = rows
    .filter(({ required }) => required)
    .flatMap((row) =>
      kernels.flatMap((kernel) => {
        const cell = row.cells[kernel.name];
        return cell && !isCovered(cell) && cell.status !== 'unavailable' ? [{ row, kernel, cell }] : [];
      }),
    );
  return { failing: gaps.filter(({ cell }) => cell.fails), informing: gaps.filter(({ cell }) => !cell.fails) };
}

/** Gaps that are one thing to mend: the same devices, on the same kernels, for the same reason. */
export interface GapGroup {
  rows: Row[];
  kernels: string[];
  cell: Cell;
}

export function groupedGaps(gaps: readonly Gap[]): GapGroup[] {
  const byRow = [...Map.groupBy(gaps, ({ row, cell }) => `${row.id}\n${cell.status}\n${whyAndHow(cell)}`).values()].map(
    (group) => {
      const [{ row, cell }] = group as [Gap];
      return { row, cell, kernels: group.map(({ kernel }) => kernel.name) };
    },
  );
  const key = ({ row, cell, kernels }: (typeof byRow)[number]) =>
    JSON.stringify([row.machine, kernels, cell.status, whyAndHow(cell)]);
  return [...Map.groupBy(byRow, key).values()].map((group) => {
    const [{ cell, kernels }] = group as [(typeof byRow)[number]];
    return { rows: group.map(({ row }) => row), kernels, cell };
  });
}

/** How many of the required devices a kernel's media drive. */
export function score(kernel: Column, rows: readonly Row[]): { covered: number; of: number } {
  const cells = rows.filter(({ required }) => required).flatMap((row) => row.cells[kernel.name] ?? []);
  return { covered: cells.filter(isCovered).length, of: cells.length };
}

/** One sentence on the whole. */
export function verdict(coverage: Coverage): string {
  const { failing } = gapsOf(coverage);
  const lost = coverage.kernels.filter(({ problem, fails }) => problem !== null && fails);
  const parts = [
    ...(failing.length > 0 ? [`${counted(failing.length, 'required device')} without driver`] : []),
    ...(lost.length > 0 ? [`${counted(lost.length, 'kernel')} cannot be had`] : []),
  ];
  return parts.length > 0 ? parts.join(', ') : 'every required device has a driver';
}

export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** The driver or the device: what a narrow table calls a row. */
export const shortName = ({ machine, module, title, device }: Row): string =>
  machine === null ? (module ?? title) : title === device ? (device ?? title) : title;

export const whyAndHow = ({ why, bring }: Pick<Cell, 'why' | 'bring'>): string =>
  [why, ...(bring.length > 0 ? [`to have it: ${bring.join(', or ')}`] : [])].filter(Boolean).join('; ');
