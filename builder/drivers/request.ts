import { setImmediate } from 'node:timers/promises';
import type { ModuleTree } from 'node-kmod-deps';
import type { Reason } from '../../contract/manifest.ts';
import { historyOf, type Importers, type Selector, selected } from './selector.ts';
import type { DriverSet } from './sets.ts';

/** Modules and the line that asked for each. */
export type Roots = Map<string, Reason>;

/** What one set, or the includes, asks for. */
export interface Request {
  essential: Roots;
  /** The essential ones among them. */
  all: Roots;
  /** What its lines with `-` take away: soft dependencies and families do not bring it back. */
  unwanted: ReadonlySet<string>;
}

/** What a set asks of a kernel. `list` is the profile's list that named it. */
export async function requestOf(
  set: DriverSet,
  tree: ModuleTree,
  importers: Importers,
  list: 'sets' | 'migrateTo' = 'sets',
): Promise<Request> {
  const rule = (name: string, selector: Selector) =>
    reason(`drivers.${list}: ${set.name} (${lineFor(selector, name)})`, selector);
  await setImmediate(); // what else is going on has its turn between two sets
  const first = await evaluate(set.essential, tree, importers);
  const later = await evaluate(set.modules, tree, importers);
  const essential = new Map([...first.plus].map(([name, selector]) => [name, rule(name, selector)]));
  const all = new Map(essential);
  for (const [name, selector] of later.plus) if (!all.has(name)) all.set(name, rule(name, selector));
  const unwanted = new Set([...first.minus, ...later.minus].filter((name) => !all.has(name)));
  return { essential, all, unwanted };
}

/**
 * The last selector that means a module decides about it; what only an old name leads to leaves the credit to a line
 * that brought it already.
 */
export async function evaluate(
  selectors: readonly Selector[],
  tree: ModuleTree,
  importers: Importers,
): Promise<{ plus: Map<string, Selector>; minus: Set<string> }> {
  const plus = new Map<string, Selector>();
  const minus = new Set<string>();
  for (const selector of selectors) {
    for (const name of await selected(selector, tree, importers)) {
      if (selector.minus) {
        plus.delete(name);
        minus.add(name);
      } else {
        minus.delete(name);
        if (!(plus.has(name) && historyOf(selector, name))) plus.set(name, selector);
      }
    }
  }
  return { plus, minus };
}

/** A selector as it was written and, when it is a name of old, what it stands for. */
export const lineFor = (selector: Selector, module: string): string =>
  historyOf(selector, module) ? `${selector.text}, today ${module}` : selector.text;

export const reason = (rule: string, selector: Selector): Reason => ({
  rule,
  kind: selector.kind === 'alias' ? 'alias' : 'named',
});
