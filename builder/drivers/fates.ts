import { dirname } from 'node:path';
import type { ModuleTree } from 'node-kmod-deps';
import { historicName, targetsToday } from './history.ts';
import { TARGETS } from './migrate.ts';
import { fateOf, type NameFate, type NameStatus } from './names.ts';
import type { ResolveDriversOptions } from './resolve.ts';
import { parseSelector, type Selector } from './selector.ts';
import { DRIVER_SETS, type DriverSet } from './sets.ts';

/** What became of the names in one list. */
export interface ListFates {
  /** `drivers.include`, `driver set web1`. */
  list: string;
  fates: NameFate[];
}

/**
 * What became of the names of `drivers.include` and `drivers.exclude`, and of driver sets of one's own: those that are no
 * loadable modules by that very name. mindi's own sets name drivers of many kernels.
 */
export function fatesOf(
  tree: ModuleTree,
  { include = [], exclude = [] }: Pick<ResolveDriversOptions, 'include' | 'exclude'>,
  sets: readonly DriverSet[],
): ListFates[] {
  const own = sets.filter(({ file }) => ![DRIVER_SETS, TARGETS].includes(dirname(file)));
  const included = named(
    tree,
    include.map((text) => parseSelector(text)),
  );
  // An exclude of what is not there needs no word; one of a driver that has another name or a successor does.
  const excluded = named(
    tree,
    exclude.map((text) => parseSelector(text)),
  ).filter(({ status }) => status === 'renamed');
  const { goes = [], stays = [] } = Object.groupBy(excluded, ({ name }) =>
    targetsToday(tree, name, true).length > 0 ? 'goes' : 'stays',
  );
  const lists = [
    { list: 'drivers.include', fates: included },
    { list: 'drivers.exclude, left out', fates: goes },
    { list: 'drivers.exclude, left in', fates: stays },
    ...own.map(({ name, essential, modules }) => ({
      list: `driver set ${name}`,
      fates: named(tree, [...essential, ...modules]),
    })),
  ];
  return lists.filter(({ fates }) => fates.length > 0);
}

/** Of the lines that are names, those that are no loadable modules. */
function named(tree: ModuleTree, selectors: readonly Selector[]): NameFate[] {
  const texts = selectors.filter(({ kind, minus }) => kind === 'name' && !minus).map(({ text }) => text);
  return [...new Set(texts)].map((text) => fateOf(tree, text)).filter(({ status }) => status !== 'module');
}

const HEADS: Record<Exclude<NameStatus, 'module'>, string> = {
  renamed: 'old names stand for',
  gone: 'gone from Linux are',
  builtin: 'built into this kernel are',
  absent: 'this kernel is built without',
  unknown: 'no kernel is known to have',
};

/** One line for each list and what became of its names: nobody reads one a name. */
export function fateNotes(lists: readonly ListFates[]): string[] {
  return lists.flatMap(({ list, fates }) =>
    Object.entries(HEADS).flatMap(([status, head]) => {
      const some = fates.filter((fate) => fate.status === status);
      const names = status === 'renamed' ? bySuccessor(some) : some.map(brief);
      return some.length > 0 ? [`${list}: ${head} ${names.join(', ')}`] : [];
    }),
  );
}

/** `st (ht, ide-tape)`. */
function bySuccessor(fates: readonly NameFate[]): string[] {
  const groups = Map.groupBy(fates, ({ targets }) => targets.map((target) => target.name).join(' and '));
  return [...groups].map(([successor, some]) => `${successor} (${some.map(({ name }) => name).join(', ')})`);
}

/** `osst (5.3)`, `megaraid-sass (Did you mean "megaraid_sas"?)`. */
function brief({ name, status, note }: NameFate): string {
  const since = historicName(name)?.since;
  if (status === 'gone' && since !== 'unknown') return `${name} (${since})`;
  return status === 'unknown' && note?.startsWith('Did') ? `${name} (${note})` : name;
}
