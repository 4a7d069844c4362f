import type { Cell, Column, Coverage, Row } from './types.ts';
import { isCovered, WORDS, whyAndHow } from './words.ts';

/**
 * JUnit's XML, which every CI shows: a suite for each kernel, a test for each device. What only informs, and what is
 * excused, is a skipped test with its reason. https://github.com/testmoapp/junitxml
 */
export function junitReport({ subject, kernels, rows, needless }: Coverage): string {
  const suites = kernels.map((kernel) =>
    suite(
      kernel,
      rows,
      needless.filter((one) => one.kernel === kernel.name),
    ),
  );
  const sum = (key: 'tests' | 'failures' | 'skipped') => suites.reduce((total, each) => total + each[key], 0);
  const counts = `tests="${sum('tests')}" failures="${sum('failures')}" skipped="${sum('skipped')}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${escaped(`mindi coverage ${subject}`)}" ${counts}>`,
    ...suites.map(({ xml }) => xml),
    '</testsuites>',
  ].join('\n');
}

function suite(kernel: Column, rows: readonly Row[], needless: Coverage['needless']) {
  const cases = [
    ...(kernel.problem === null ? [] : [testCase(kernel, 'the kernel can be had', problemOf(kernel))]),
    ...rows.filter(({ required }) => required).flatMap((row) => rowCase(kernel, row)),
  ];
  const count = (tag: string) => cases.filter((xml) => xml.includes(`<${tag} `)).length;
  const [tests, failures, skipped] = [cases.length, count('failure'), count('skipped')];
  const told = needless.map(({ module, reason }) => `exception not needed any more: ${module} (${reason})`);
  const name = kernel.release === null ? kernel.name : `${kernel.name} (${kernel.release})`;
  const xml = [
    `  <testsuite name="${escaped(name)}" tests="${tests}" failures="${failures}" errors="0" skipped="${skipped}">`,
    ...cases,
    ...(told.length > 0 ? [`    <system-out>${escaped(told.join('\n'))}</system-out>`] : []),
    '  </testsuite>',
  ].join('\n');
  return { xml, tests, failures, skipped };
}

function problemOf({ problem, fails }: Column): string {
  return element(fails ? 'failure' : 'skipped', problem ?? '');
}

function rowCase(kernel: Column, row: Row): string[] {
  const cell = row.cells[kernel.name];
  if (!cell || cell.status === 'unavailable') return [];
  const machine = row.machine === null ? '' : `${row.machine}: `;
  const name = row.module === null || row.title === row.module ? row.title : `${row.module}: ${row.title}`;
  return [testCase(kernel, `${machine}${name}`, outcome(cell), row.group)];
}

function outcome(cell: Cell): string {
  const text = [WORDS[cell.status], whyAndHow(cell)].filter(Boolean).join(': ');
  if (cell.fails) return element('failure', text);
  return cell.status === 'excepted' || !isCovered(cell) ? element('skipped', text) : '';
}

function testCase({ name }: Column, what: string, inside: string, group = 'kernel'): string {
  const head = `    <testcase classname="${escaped(`${name}.${group}`)}" name="${escaped(what)}"`;
  return inside === '' ? `${head}/>` : `${head}>${inside}</testcase>`;
}

const element = (tag: string, message: string): string => `<${tag} message="${escaped(message)}"/>`;

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\n': '&#10;' };

/** For attributes and text; what XML 1.0 cannot hold is left out. */
const escaped = (text: string): string =>
  text
    .replaceAll(/[^\t\n\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')
    .replaceAll(/[&<>"\n]/g, (letter) => ENTITIES[letter] ?? '');
