import { fold, type ModuleTree } from 'node-kmod-deps';
import { MindiError } from '../../contract/error.ts';
import { didYouMean } from '../../contract/settings/suggest.ts';
import { fateOf } from './names.ts';
import { lineFor, type Roots, reason } from './request.ts';
import { historyOf, type Importers, parseSelector, type Selector, selected } from './selector.ts';

/** One line of `drivers.include` or `drivers.migrateTo`. */
export interface Line {
  text: string;
  where: string | undefined;
}

export interface InclusionOptions {
  tree: ModuleTree;
  importers: Importers;
  /** What the excludes take away. */
  excluded: ReadonlySet<string>;
  /** What cannot work without those, and the one it needs. */
  broken: ReadonlyMap<string, string>;
  /** Other words a line might have meant. */
  alternatives?: readonly string[];
}

/**
 * The modules these lines mean, the last line deciding. A name that other kernels have, or older ones had, may find
 * nothing here when it is included; where one moves to, drivers must be.
 * @throws MindiError for all lines that find nothing, or name what an exclude takes away
 */
export async function inclusions(
  list: 'include' | 'migrateTo',
  lines: readonly Line[],
  { tree, importers, excluded, broken, alternatives = [] }: InclusionOptions,
): Promise<Roots> {
  const problems: MindiError[] = [];
  const chosen = new Map<string, Selector>();
  for (const { text, where } of lines) {
    const selector = parseSelector(text, where);
    const names = await selected(selector, tree, importers);
    const mayLack =
      list === 'include' && selector.kind === 'name' && fateOf(tree, selector.pattern).status !== 'unknown';
    if (names.length === 0 && !selector.minus && !mayLack) problems.push(unknown(selector, tree, where, alternatives));
    for (const name of names) {
      const history = historyOf(selector, name);
      if (selector.minus) chosen.delete(name);
      else if (!(chosen.has(name) && history)) chosen.set(name, selector);
      const meant = history === undefined || history.how === 'renamed';
      if (selector.kind !== 'name' || selector.minus || !meant) continue;
      const why = excluded.has(name) ? name : broken.get(name);
      if (why !== undefined) problems.push(conflict(text, why, where));
    }
  }
  if (problems.length > 0) throw MindiError.all(problems, `drivers.${list}:`, 'drivers.invalid');
  return new Map(
    [...chosen].map(([name, selector]) => [name, reason(`drivers.${list}: ${lineFor(selector, name)}`, selector)]),
  );
}

function unknown(
  selector: Selector,
  tree: ModuleTree,
  where: string | undefined,
  alternatives: readonly string[],
): MindiError {
  const { text, kind, pattern } = selector;
  const names = [...alternatives, ...tree.names, ...tree.builtin.keys()];
  return new MindiError(
    kind === 'name'
      ? `this kernel has no module or built-in driver called ${JSON.stringify(text)}`
      : `${JSON.stringify(text)} finds no module in this kernel`,
    {
      code: 'drivers.unknown',
      where,
      hint: kind === 'name' ? nameHint(pattern, tree, names) : REMOVE,
    },
  );
}

const REMOVE = 'Remove it, or choose a kernel that has it.';

function nameHint(pattern: string, tree: ModuleTree, names: readonly string[]): string {
  const { status, note } = fateOf(tree, pattern);
  const near = status === 'unknown' ? didYouMean(pattern, names) : undefined;
  return near ?? (status === 'gone' && note !== null ? `It is ${note}.` : REMOVE);
}

function conflict(text: string, because: string, where: string | undefined): MindiError {
  const asked = fold(text) === because;
  return new MindiError(
    asked
      ? `${text} is both included and excluded`
      : `${text} is included but cannot work without ${because}, which is excluded`,
    { code: 'drivers.conflict', where, hint: 'Remove one of the two lines.' },
  );
}
