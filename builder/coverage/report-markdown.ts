import type { Coverage, Row } from './types.ts';
import { counted, type Gap, gapsOf, groupedGaps, score, shortName, verdict, WORDS, whyAndHow } from './words.ts';

/** For a job's summary: the verdict, what is uncovered, a line for each kernel, and the whole matrix folded away. */
export function markdownReport(coverage: Coverage): string {
  const { failing, informing } = gapsOf(coverage);
  const lost = coverage.kernels.filter(({ problem }) => problem !== null);
  return [
    `## ${coverage.covered ? '✅' : '❌'} Driver coverage of ${escaped(coverage.subject)}`,
    `${sentence(verdict(coverage))}.`,
    gapTable('Uncovered', failing),
    gapTable('For information', informing),
    ...lost.map(({ name, problem }) => `- **${escaped(name)}** cannot be had: ${escaped(problem ?? '')}`),
    kernelTable(coverage),
    ...coverage.needless.map(
      ({ kernel, module }) => `- The exception for ${escaped(module)} on ${escaped(kernel)} is not needed any more.`,
    ),
    matrix(coverage),
  ]
    .filter(Boolean)
    .join('\n\n');
}

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function gapTable(title: string, gaps: readonly Gap[]): string {
  if (gaps.length === 0) return '';
  const lines = groupedGaps(gaps).map(({ rows, kernels, cell }) => {
    const machine = rows[0]?.machine;
    const devices = rows.map(shortName).join(', ') + (machine ? ` of ${machine}` : '');
    return [devices, kernels.join(', '), WORDS[cell.status], whyAndHow(cell)];
  });
  return `### ${title}\n\n${table(['device', 'kernels', 'state', 'why'], lines)}`;
}

function kernelTable({ kernels, rows }: Coverage): string {
  const lines = kernels.map((kernel) => {
    const { covered, of } = score(kernel, rows);
    const state = kernel.fails ? '❌' : kernel.uncovered === 'inform' ? 'informs' : '✅';
    const release = `${kernel.release ?? '-'}${kernel.derived ? ' (derived)' : ''}`;
    return [kernel.name, release, kernel.problem === null ? `${covered}/${of}` : '-', state];
  });
  return table(['kernel', 'release', 'covered', ''], lines);
}

function matrix({ kernels, rows }: Coverage): string {
  const there = kernels.filter(({ problem }) => problem === null);
  const needed = rows.filter(({ required }) => required);
  const lines = needed.map((row: Row) => [
    row.machine === null ? shortName(row) : `${row.machine}: ${shortName(row)}`,
    ...there.map(({ name }) => WORDS[row.cells[name]?.status ?? 'unavailable']),
  ]);
  const body = table(['device', ...there.map(({ name }) => name)], lines);
  return `<details><summary>${counted(needed.length, 'device')} on ${counted(there.length, 'kernel')}</summary>\n\n${body}\n\n</details>`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |`;
  return [line(head), `|${head.map(() => ' --- |').join('')}`, ...rows.map(line)].join('\n');
}

/** Text as text: neither table, nor HTML, nor emphasis. */
const escaped = (text: string): string =>
  text
    .replaceAll(/\s+/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/[\\|*_`[\]]/g, '\\$&');
