import { fold, foldAlias, globMatch, isGlob, type ModuleTree, moduleName, withoutSuffix } from 'node-kmod-deps';
import { MindiError } from '../../contract/error.ts';
import { type HistoricName, historicName, targetsToday } from './history.ts';

/**
 * One line of a driver set, of `drivers.include` or `drivers.exclude`:
 *
 *     megaraid_sas        a module, by name (`-` and `_` are the same) or, failing that, by an alias (fs-ext4), or by
 *                         the name it had once (usb-uhci)
 *     hid-*               a glob over names
 *     drivers/scsi/       a directory and all below it; `arch/x/crypto/` may hold wildcards
 *     drivers/net/*_cs    a glob over paths; `*` stops at `/`, `**` does not
 *     pci:v00001000d*     modules with an alias of this form, or that answer this very device
 *     symbol:scsi_host_alloc             modules that import this symbol …
 *     symbol:register_netdev in drivers/net/   … and lie in this directory
 *     -scsi_debug         any of these with `-` before it: not this one
 *
 * Paths start below `kernel/` (or `updates/`, `extra/`); with a leading `/` at the modules directory itself.
 */
export interface Selector {
  /** As written. */
  text: string;
  /** Whether it takes away. */
  minus: boolean;
  kind: 'name' | 'glob' | 'path' | 'alias' | 'symbol';
  /** Folded pattern of that kind. For a symbol its name. */
  pattern: string;
  /** What paths must match, of kind `path` and `symbol … in`: the pattern of each directory and of the file. */
  path: readonly string[] | null;
}

const PATH_ROOTS = /^(?:kernel|updates|extra|weak-updates)\//;

/** @throws MindiError `drivers.selector` */
export function parseSelector(text: string, where?: string): Selector {
  const minus = text.startsWith('-');
  const body = (minus ? text.slice(1) : text).trim();
  const symbol = /^symbol:(\S+?)(?:\s+in\s+(\S+))?$/.exec(body);
  if (symbol?.[1]) {
    const path = symbol[2] === undefined ? null : pathPattern(symbol[2]);
    return { text, minus, kind: 'symbol', pattern: symbol[1], path };
  }
  if (body === '' || /\s/.test(body) || body.startsWith('-') || body === 'symbol:') {
    throw new MindiError(`${JSON.stringify(text)} selects nothing`, {
      code: 'drivers.selector',
      where,
      hint: 'Write a module (hpsa), a glob (snd_*), a directory (drivers/scsi/), an alias (pci:v00001000d*) or symbol:NAME.',
    });
  }
  if (body.includes(':')) return { text, minus, kind: 'alias', pattern: foldAlias(body), path: null };
  if (body.includes('/') && !/^\/?[^*?[]*\.ko(\.\w+)?$/.test(body)) {
    return { text, minus, kind: 'path', pattern: body, path: pathPattern(body) };
  }
  if (isGlob(body)) return { text, minus, kind: 'glob', pattern: foldAlias(withoutSuffix(body)), path: null };
  return { text, minus, kind: 'name', pattern: moduleName(body), path: null };
}

/**
 * A line of `drivers.exclude`, as one that takes away.
 * @throws MindiError `drivers.selector`, also when it has a `-` of its own
 */
export function parseExclude(text: string, where?: string): Selector {
  const selector = parseSelector(text, where);
  if (!selector.minus) return { ...selector, minus: true };
  throw new MindiError(`exclude: ${JSON.stringify(text)} would take away what is taken away`, {
    code: 'drivers.selector',
    where,
    hint: `Write ${JSON.stringify(text.slice(1))}, or put it under include.`,
  });
}

/** What became of the name a selector is, when that is why it means this module. */
export function historyOf({ kind, pattern }: Selector, module: string): HistoricName | undefined {
  return kind === 'name' && pattern !== module ? historicName(pattern) : undefined;
}

/** Modules that import a symbol; `null` when their files are not there to be asked. */
export type Importers = (symbol: string, among: readonly string[]) => Promise<string[]>;

/** Names, loadable and built in, that a selector means, whether it adds or takes away. */
export async function selected(selector: Selector, tree: ModuleTree, importers: Importers): Promise<string[]> {
  const { kind, pattern, path } = selector;
  switch (kind) {
    case 'name':
      return targetsToday(tree, pattern, selector.minus).map(({ name }) => name);
    case 'glob':
      return allNames(tree).filter((name) => globMatch(pattern, name));
    case 'path':
      return inPath(tree, path);
    case 'alias':
      return [...new Set([...tree.select(pattern).map(({ name }) => name), ...tree.matchAlias(pattern)])];
    case 'symbol':
      return await importers(pattern, path ? inPath(tree, path).filter((name) => tree.has(name)) : tree.names);
  }
}

function allNames(tree: ModuleTree): string[] {
  return [...tree.names, ...tree.builtin.keys()];
}

function inPath(tree: ModuleTree, pattern: readonly string[] | null): string[] {
  return pattern ? splitPaths(tree).flatMap(([name, path]) => (pathMatches(pattern, path) ? [name] : [])) : [];
}

type SplitPath = [name: string, path: string[]];
const pathsOfTrees = new WeakMap<ModuleTree, SplitPath[]>();

/** `kernel, drivers, scsi, sd_mod` of every module, loadable and built in. Made once a tree: each selector goes through it. */
function splitPaths(tree: ModuleTree): SplitPath[] {
  const known = pathsOfTrees.get(tree);
  if (known) return known;
  const loadable = tree.names.map((name) => [name, tree.path(name) ?? ''] as const);
  const paths = [...loadable, ...[...tree.builtin].filter(([name]) => !tree.has(name))];
  const split = paths.map(([name, path]): SplitPath => [name, fold(withoutSuffix(path)).split('/')]);
  pathsOfTrees.set(tree, split);
  return split;
}

/** A path, a glob over paths or, with `/` at its end, a directory; without `/` at its start below kernel/, updates/ … */
function pathPattern(text: string): string[] {
  const body = withoutSuffix(text.replace(PATH_ROOTS, '').replace(/^\/|\/$/g, ''));
  return [...(text.startsWith('/') ? [] : ['*']), ...foldAlias(body).split('/'), ...(text.endsWith('/') ? ['**'] : [])];
}

/** Piece by piece; `**` stands for any number of them. Tries again only behind the last `**`, so it cannot run away. */
function pathMatches(pattern: readonly string[], path: readonly string[]): boolean {
  let p = 0;
  let at = 0;
  let behind = -1;
  let from = 0;
  while (at < path.length) {
    const piece = pattern[p];
    if (piece === '**') {
      p += 1;
      behind = p;
      from = at;
    } else if (piece !== undefined && (piece === path[at] || globMatch(piece, path[at] as string))) {
      p += 1;
      at += 1;
    } else if (behind >= 0) {
      from += 1;
      at = from;
      p = behind;
    } else {
      return false;
    }
  }
  while (pattern[p] === '**') p += 1;
  return p === pattern.length;
}
