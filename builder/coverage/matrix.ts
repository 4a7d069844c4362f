import { needsNoDriver } from '../../contract/needs-driver.ts';
import type { Machine } from '../drivers/scope.ts';
import { answer, type Medium } from './answer.ts';
import { GROUPS, groupOf } from './classes.ts';
import type { Exception, Hardware } from './schema.ts';
import { type Cell, type Column, type Coverage, type Row, STATUSES, type Status } from './types.ts';

/** A kernel and what was made of it: its media, or why there are none. */
export interface KernelMedium extends Omit<Column, 'counts' | 'fails'> {
  /** Whether a kernel that cannot be had makes the answer "no". */
  unavailable: 'fail' | 'inform';
  medium: Medium | null;
}

/** A machine whose devices have names: by modalias, where one is known. */
export interface NamedMachine extends Machine {
  names: ReadonlyMap<string, string>;
}

export interface Asked {
  subject: string;
  hardware: readonly Hardware[];
  machines: readonly NamedMachine[];
  exceptions: readonly Exception[];
}

/** Asks every kernel's media for every device. */
export async function coverageOf(kernels: readonly KernelMedium[], asked: Asked): Promise<Coverage> {
  const rows = [...asked.hardware.map(requiredRow), ...asked.machines.flatMap(machineRows)];
  for (const kernel of kernels) {
    for (const row of rows) row.cells[kernel.name] = await cell(row, kernel, asked.exceptions);
  }
  const shown = rows.filter((row) => Object.values(row.cells).some(({ status }) => status !== 'needs-none'));
  const columns = kernels.map((kernel) => column(kernel, shown));
  return {
    format: 1,
    subject: asked.subject,
    covered: !columns.some(({ fails }) => fails),
    kernels: columns,
    rows: shown,
    needNone: rows.length - shown.length,
    needless: needless(rows, asked.exceptions),
  };
}

function requiredRow({ module, device, title, group }: Hardware): Row {
  return { id: module, title, group, module, device: device ?? null, machine: null, required: true, cells: {} };
}

function machineRows({ name, modaliases, names }: NamedMachine): Row[] {
  const rows = [...new Set(modaliases)].map((device): Row => {
    const group = groupOf(device);
    const title = printable(names.get(device) ?? device);
    const id = `${name}: ${device}`;
    return { id, title, group, module: null, device, machine: name, required: group !== 'other', cells: {} };
  });
  return rows.sort((one, other) => rank(one) - rank(other));
}

const rank = ({ group }: Row): number => (GROUPS as readonly string[]).indexOf(group);

/** Hardware files come from anywhere: nothing in a name moves a terminal. */
const printable = (text: string): string => text.replaceAll(/\p{C}/gu, ' ');

const UNCOVERED: readonly Status[] = ['not-on-media', 'absent'];

/** Of an image: whether its kernel could have had a driver, it does not tell. */
const NOT_IN_IT = 'nothing in it drives this device';

async function cell(row: Row, kernel: KernelMedium, exceptions: readonly Exception[]): Promise<Cell> {
  if (!kernel.medium) return { ...nothing('unavailable', kernel.problem), fails: false };
  const found = await answer(row, kernel.medium);
  const uncovered = UNCOVERED.includes(found.status);
  if (uncovered && !row.required && needsNoDriver(row.device ?? '', true)) {
    return { ...nothing('needs-none', null), fails: false };
  }
  const excuse = found.status === 'absent' ? exceptionFor(row, kernel.name, exceptions) : undefined;
  if (excuse) return { ...nothing('excepted', excuse.reason), fails: false };
  if (found.status === 'absent' && kernel.medium.partial) Object.assign(found, nothing('not-on-media', NOT_IN_IT));
  return { ...found, fails: row.required && kernel.uncovered === 'fail' && uncovered };
}

const nothing = (status: Status, why: string | null): Omit<Cell, 'fails'> => ({
  status,
  module: null,
  why,
  bring: [],
  firmware: null,
});

function exceptionFor(row: Row, kernel: string, exceptions: readonly Exception[]): Exception | undefined {
  const { machine, module } = row;
  if (machine !== null || module === null) return undefined;
  return exceptions.find(({ kernels, modules }) => kernels.includes(kernel) && modules.includes(module));
}

function column({ medium: _, unavailable, ...kernel }: KernelMedium, rows: readonly Row[]): Column {
  const cells = rows.flatMap((row) => row.cells[kernel.name] ?? []);
  const counts = Object.fromEntries(
    STATUSES.map((status) => [status, cells.filter((each) => each.status === status).length]),
  ) as Record<Status, number>;
  const lost = kernel.problem !== null && unavailable === 'fail';
  return { ...kernel, counts, fails: lost || cells.some(({ fails }) => fails) };
}

/** Exceptions for drivers that turned out to be there. */
function needless(rows: readonly Row[], exceptions: readonly Exception[]): Coverage['needless'] {
  return exceptions.flatMap(({ kernels, modules, reason }) =>
    kernels.flatMap((kernel) =>
      modules.flatMap((module) => {
        const status = rows.find((row) => row.machine === null && row.module === module)?.cells[kernel]?.status;
        const needed = status === undefined || status === 'excepted' || status === 'unavailable';
        return needed ? [] : [{ kernel, module, reason }];
      }),
    ),
  );
}
