import { readFile } from 'node:fs/promises';
import Handlebars from 'handlebars';
import type { Cell, Column, Coverage, Row, Status } from './types.ts';
import { counted, gapsOf, groupedGaps, isCovered, score, shortName, verdict, WORDS, whyAndHow } from './words.ts';

/** Beside the word and the colour: what a cell is at a glance, and without colour. */
const SIGNS: Record<Status, string> = {
  module: '✓',
  builtin: '◆',
  'needs-none': '·',
  excepted: '–',
  'not-on-media': '!',
  absent: '✗',
  unavailable: '?',
};

const GROUPS: Record<string, string> = {
  virtual: 'Virtual machines',
  storage: 'Storage',
  network: 'Network',
  usb: 'USB',
  tape: 'Tape and generic SCSI',
  input: 'Keyboards',
  other: 'Other devices, which no rescue needs',
};

/**
 * One page that needs nothing else: styles, script and data are in it. The table is there without the script, which adds
 * filters, details and the treemap.
 */
export async function htmlReport(coverage: Coverage): Promise<string> {
  const [template, css, js] = await Promise.all(['coverage.html.hbs', 'coverage.css', 'coverage.js'].map(templateFile));
  const render = Handlebars.create().compile(template, { strict: true });
  return render({ ...page(coverage), css, js, data: embedded(coverage) });
}

const templateFile = (name: string) => readFile(new URL(`../../templates/${name}`, import.meta.url), 'utf8');

/** JSON inside a script element: nothing in it may end the element. */
const embedded = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c');

function page(coverage: Coverage) {
  const { kernels, rows, subject, covered, needless, needNone } = coverage;
  const { failing, informing } = gapsOf(coverage);
  const used = new Set(rows.flatMap(({ cells }) => Object.values(cells).map(({ status }) => status)));
  const statuses = (Object.keys(WORDS) as Status[])
    .filter((status) => used.has(status))
    .map((status) => ({ status, word: WORDS[status], sign: SIGNS[status] }));
  return {
    subject,
    covered,
    verdict: verdict(coverage),
    size: `${counted(rows.length, 'device')} on ${counted(kernels.length, 'kernel')}`,
    gaps: [...gapList(failing, true), ...gapList(informing, false)],
    problems: kernels.filter(({ problem }) => problem !== null),
    needless,
    needNone: needNone > 0 ? counted(needNone, 'device') : '',
    derived: kernels.some(({ derived }) => derived),
    hasSizes: kernels.some(({ sizes }) => sizes !== null),
    statuses,
    groups: [...new Set(rows.map(({ group }) => group))].map((group) => ({ group, title: GROUPS[group] ?? group })),
    columns: kernels.length + 1,
    kernels: kernels.map((kernel) => heading(kernel, rows)),
    sections: sectionsOf(rows, kernels),
  };
}

const gapList = (gaps: ReturnType<typeof gapsOf>['failing'], fails: boolean) =>
  groupedGaps(gaps).map(({ rows, kernels, cell }) => ({
    fails,
    devices: rows.map(shortName).join(', '),
    machine: rows[0]?.machine ?? '',
    kernels: kernels.join(', '),
    word: WORDS[cell.status],
    why: whyAndHow(cell),
  }));

function heading(kernel: Column, rows: readonly Row[]) {
  const { covered, of } = score(kernel, rows);
  const { name, title, release, derived, fails, uncovered, problem } = kernel;
  const state = fails ? 'fails' : uncovered === 'inform' ? 'informs' : '';
  const tone = fails ? 'bad' : 'warn';
  return {
    name,
    title,
    release: release ?? '',
    derived,
    state,
    tone,
    score: problem === null ? `${covered} of ${of}` : '',
  };
}

/** Rows under a heading: the groups of the table, then those of each machine. */
function sectionsOf(rows: readonly Row[], kernels: readonly Column[]) {
  const groups = Map.groupBy(rows, ({ machine, group }) => JSON.stringify([machine, group]));
  return [...groups.values()].map((group) => {
    const [{ machine, group: name }] = group as [Row];
    const title = GROUPS[name] ?? name;
    return { title: machine === null ? title : `${machine}: ${title}`, rows: group.map((row) => rowOf(row, kernels)) };
  });
}

function rowOf(row: Row, kernels: readonly Column[]) {
  const cells = kernels.flatMap(({ name, derived }) => {
    const cell = row.cells[name];
    return cell ? [{ kernel: name, derived, ...cellOf(row, cell) }] : [];
  });
  const words = [
    row.title,
    row.module,
    row.device,
    row.machine,
    ...Object.values(row.cells).map(({ module }) => module),
  ];
  return {
    id: row.id,
    group: row.group,
    title: row.title,
    driver: row.module ?? '',
    statuses: [...new Set(cells.map(({ status }) => status))].join(' '),
    words: words.filter(Boolean).join(' ').toLowerCase(),
    cells,
  };
}

function cellOf(row: Row, cell: Cell) {
  const { status, module, fails } = cell;
  const word = status === 'module' && module !== row.module ? (module ?? '') : WORDS[status];
  const why = status === 'unavailable' || (isCovered(cell) && status !== 'excepted') ? '' : (cell.why ?? '');
  const bare = cell.firmware !== null && cell.firmware.present.length === 0;
  const needless = !row.required && !isCovered(cell);
  return { status, sign: SIGNS[status], word, why, fails, needless, note: bare ? 'no firmware' : '' };
}
