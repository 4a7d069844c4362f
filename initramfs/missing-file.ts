import { readFileSync, writeFileSync } from 'node:fs';
import { missingDeviceLine, missingRequestLine, type ReadyReport } from '../contract/report.ts';

/** What the command mindi-missing shows. */
const FILE = '/run/mindi/missing';

/** Writes down what is missing now, a line each. Returns the lines that were not there before. */
export function writeMissing(missing: Pick<ReadyReport, 'missing' | 'requested'>): string[] {
  const lines = missingLines(missing);
  const before = new Set(writtenLines());
  writeFileSync(FILE, lines.map((line) => `${line}\n`).join(''));
  return lines.filter((line) => !before.has(line));
}

export function missingLines({ missing, requested }: Pick<ReadyReport, 'missing' | 'requested'>): string[] {
  return [...missing.map(missingDeviceLine), ...requested.map(missingRequestLine)];
}

function writtenLines(): string[] {
  try {
    return readFileSync(FILE, 'utf8').split('\n');
  } catch {
    return [];
  }
}
