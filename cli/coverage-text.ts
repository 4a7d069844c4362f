import type { Column, Coverage, Row } from '../builder/coverage/types.ts';
import {
  counted,
  type Gap,
  gapsOf,
  groupedGaps,
  isCovered,
  NO_DRIVER,
  score,
  shortName,
  verdict,
  WORDS,
  whyAndHow,
} from '../builder/coverage/words.ts';
import { paint, table } from './output.ts';

/** Columns of the terminals people have at a rack. */
const WIDTH = 80;

/** The answer for a terminal: what is uncovered first, then one line a kernel, then the machines' devices. */
export function coverageText(coverage: Coverage): string {
  const { failing, informing } = gapsOf(coverage);
  return [
    headline(coverage),
    gapLines('Uncovered', failing, 'red'),
    gapLines('Uncovered, only for information', informing, 'yellow'),
    problemLines(coverage.kernels),
    kernelTable(coverage),
    ...machineTables(coverage),
    needlessLines(coverage),
    notes(coverage),
  ]
    .filter(Boolean)
    .join('\n\n');
}

function headline(coverage: Coverage): string {
  const mark = coverage.covered ? paint('green', 'covered') : paint('red', 'NOT covered');
  return wrapped(`${coverage.subject}: ${mark}, ${verdict(coverage)}`);
}

function gapLines(title: string, gaps: readonly Gap[], colour: 'red' | 'yellow'): string {
  if (gaps.length === 0) return '';
  const lines = groupedGaps(gaps).map(({ rows, kernels, cell }) => {
    const machine = rows[0]?.machine ?? null;
    const of = machine === null ? '' : ` of ${machine}`;
    const head = `${rows.map(shortName).join(', ')}${of} on ${kernels.join(', ')}: ${WORDS[cell.status]}`;
    const more = cell.status === 'absent' && cell.why === NO_DRIVER ? '' : whyAndHow(cell);
    return [`  ${head}`, ...(more ? [`    ${more}`] : [])].map(wrapped).join('\n');
  });
  return [paint(colour, `${title} (${gaps.length}):`), ...lines].join('\n');
}

function problemLines(kernels: readonly Column[]): string {
  const lost = kernels.filter(({ problem }) => problem !== null);
  if (lost.length === 0) return '';
  const lines = lost.map(({ name, problem, fails }) =>
    wrapped(`  ${name}${fails ? '' : ' (for information)'}: ${problem}`),
  );
  return [paint('yellow', 'Kernels that cannot be had:'), ...lines].join('\n');
}

function kernelTable({ kernels, rows }: Coverage): string {
  const head = ['kernel', 'release', 'covered', 'module', 'built in', 'excepted', ''];
  const lines = kernels.map((kernel) => {
    const { covered, of } = score(kernel, rows);
    const { module, builtin, excepted } = kernel.counts;
    const state = kernel.fails ? paint('red', 'fails') : kernel.uncovered === 'inform' ? 'informs' : '';
    const counts =
      kernel.problem === null ? [`${covered}/${of}`, ...[module, builtin, excepted].map(String)] : ['-', '-', '-', '-'];
    return [cut(kernel.name, 16), cut(release(kernel), 22), ...counts, state];
  });
  return table([head, ...lines], [2, 3, 4, 5]);
}

const release = ({ release: text, derived }: Column): string => `${text ?? '-'}${derived ? '*' : ''}`;

/** Its devices one by one where there is one kernel; else how many of them each kernel drives. */
function machineTables({ rows, kernels }: Coverage): string[] {
  const machines = [...Map.groupBy(rows, ({ machine }) => machine)].flatMap(([machine, devices]) =>
    machine === null ? [] : [{ machine, devices }],
  );
  const usable = kernels.filter(({ problem }) => problem === null);
  const [only, ...more] = usable;
  if (machines.length === 0 || !only) return [];
  if (more.length === 0) return machines.map(({ machine, devices }) => machineTable(machine, only, devices));
  const lines = machines.flatMap(({ machine, devices }) =>
    usable.map((kernel) => {
      const { covered, of } = score(kernel, devices);
      return [cut(machine, 40), cut(kernel.name, 16), `${covered}/${of}`];
    }),
  );
  return [table([['machine', 'kernel', 'covered'], ...lines], [2])];
}

function machineTable(machine: string, kernel: Column, devices: readonly Row[]): string {
  const needed = devices.filter(({ required }) => required);
  const ranked = needed.toSorted((a, b) => rank(a, kernel) - rank(b, kernel));
  const lines = ranked.map((row) => {
    const cell = row.cells[kernel.name];
    const lacks = cell?.firmware && cell.firmware.present.length === 0 ? ', no firmware' : '';
    const state = cell ? `${WORDS[cell.status]}${lacks}` : '';
    return [row.group, cut(shortName(row), 33), cut(cell?.module ?? '-', 16), state];
  });
  const others = devices.length - needed.length;
  const bare = devices.filter(
    ({ required, cells }) => !required && cells[kernel.name] && !isCovered(cells[kernel.name] as never),
  );
  const rest =
    others > 0
      ? `\nOf ${counted(others, 'other device')}, no rescue needs them, ${bare.length} have no driver here.`
      : '';
  return `${paint('bold', `${machine} on ${kernel.name}`)}\n${table(lines)}${rest}`;
}

const rank = (row: Row, kernel: Column): number => {
  const cell = row.cells[kernel.name];
  return cell && isCovered(cell) ? 1 : 0;
};

function needlessLines({ needless }: Coverage): string {
  if (needless.length === 0) return '';
  const lines = needless.map(({ kernel, module, reason }) => wrapped(`  ${module} on ${kernel}: ${reason}`));
  return [paint('yellow', 'Exceptions not needed any more, the driver is there:'), ...lines].join('\n');
}

function notes({ kernels, needNone }: Coverage): string {
  return [
    ...(kernels.some(({ derived }) => derived) ? ['* derived from the configuration, not from the kernel itself'] : []),
    ...(needNone > 0 ? [`${counted(needNone, 'device')} left out: no module is meant to drive them`] : []),
  ].join('\n');
}

const cut = (text: string, columns: number): string =>
  text.length > columns ? `${text.slice(0, columns - 1)}…` : text;

/** Breaks at spaces; what follows is indented two columns more. Words longer than a line stay whole. */
function wrapped(text: string): string {
  const indent = ' '.repeat(text.length - text.trimStart().length);
  const lines: string[] = [];
  for (const word of text.trim().split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`${indent}${last === undefined ? '' : '  '}${word}`);
  }
  return lines.join('\n');
}
