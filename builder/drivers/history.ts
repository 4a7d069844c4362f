import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ModuleTree, moduleName, type Target } from 'node-kmod-deps';

/** What became of a module's name: a row of historic-names.tsv. */
export interface HistoricName {
  /** As it was written. */
  name: string;
  /** Modules that do its work now, the main one first; of a `split` name, what belongs to it besides. */
  today: readonly string[];
  how: 'renamed' | 'replaced' | 'split' | 'gone';
  /** `5.14`; `by 4.15`, when only that is known; `never`: it was never part of Linux itself; `unknown`. */
  since: string;
  /** For people; may be empty. */
  note: string;
  /** Commit, or place in Linux' source. */
  source: string;
}

let names: ReadonlyMap<string, HistoricName> | undefined;

/** All of them, by name in small letters, folded. */
export function historicNames(): ReadonlyMap<string, HistoricName> {
  names ??= new Map(
    readFileSync(TABLE, 'utf8')
      .split('\n')
      .filter((line) => line && !line.startsWith('#'))
      .map((line) => parsed(line))
      .map((row) => [key(row.name), row]),
  );
  return names;
}

export const historicName = (name: string): HistoricName | undefined => historicNames().get(key(name));

/**
 * What a name or an alias stands for, as the kernel has it; failing that, what does its work today. A driver that took
 * over another's work is meant by `-name` only when it is the same driver by another name: leaving out aic7xxx_old
 * leaves aic7xxx. What was split off comes with the name, but does not go with it.
 */
export function targetsToday(tree: ModuleTree, name: string, minus = false): Target[] {
  const own = tree.lookup(name);
  const history = historicName(name);
  if (history?.how === 'split') return minus ? own : [...own, ...successors(tree, history)];
  if (own.length > 0 || !history || (minus && history.how !== 'renamed')) return own;
  return successors(tree, history);
}

/** Of a name's modules today, what this kernel has. */
export function successors(tree: ModuleTree, { today }: HistoricName): Target[] {
  const known = today.filter((name) => tree.has(name) || tree.isBuiltin(name));
  return known.map((name) => ({ name, builtin: !tree.has(name) }));
}

/** Whether a tree's kernel is as new as the change; one whose version cannot be told is. */
export function hasCome({ since }: HistoricName, { directory }: ModuleTree): boolean {
  const [change] = /\d[\d.]*/.exec(since) ?? [];
  const [kernel] = /^\d+\.[\d.]*/.exec(basename(directory ?? '')) ?? [];
  return change === undefined || kernel === undefined || compare(kernel, change) >= 0;
}

/** `since Linux 5.14`, `by Linux 4.15`; null where no version is known. */
export function when({ since }: HistoricName): string | null {
  if (since === 'never' || since === 'unknown') return null;
  return since.startsWith('by ') ? `by Linux ${since.slice(3)}` : `since Linux ${since}`;
}

/** Two versions, number by number. */
function compare(one: string, other: string): number {
  const [a, b] = [one, other].map((version) => version.split('.').map(Number)) as [number[], number[]];
  const at = a.findIndex((number, i) => number !== (b[i] ?? 0));
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

function parsed(line: string): HistoricName {
  const [name = '', today = '', how = '', since = '', note = '', source = ''] = line.split('\t');
  return { name, today: today === '-' ? [] : today.split(' '), how: how as HistoricName['how'], since, note, source };
}

const key = (name: string): string => moduleName(name).toLowerCase();

const TABLE = fileURLToPath(new URL('./historic-names.tsv', import.meta.url));
