import { type IndexEntry, indexFile } from './index-file.ts';
import { foldAlias, moduleName, withoutSuffix } from './names.ts';
import { type Alias, directives } from './parse.ts';
import type { ModuleTree } from './tree.ts';

/** Where a module lies in a trimmed tree: decompressed, and below `extra/` when it came from outside of the tree. */
export function storedPath(path: string): string {
  const stored = `${withoutSuffix(path)}.ko`;
  return path.startsWith('/') ? `extra/${stored.slice(stored.lastIndexOf('/') + 1)}` : stored;
}

/**
 * The modules.* files for a part of a tree, as depmod would write them for it: text (read by busybox and people) and
 * .bin (read by kmod). Paths end in .ko. Hard dependencies of the names are added; the same names always give the same
 * bytes.
 * @throws KmodError module.unknown
 */
export function trimMetadata(tree: ModuleTree, names: Iterable<string>): Map<string, string | Uint8Array> {
  const kept = keep(tree, names);
  const order = new Map(tree.names.filter((name) => kept.has(name)).map((name, i) => [name, i]));
  const priority = (name: string) => order.get(name) ?? 0;
  const depLines = [...order.keys()].map((name) => depLine(tree, name));
  const aliases = tree.aliases.filter((alias) => kept.has(alias.name));
  const symbols = [...tree.symbols]
    .filter(([, owner]) => kept.has(owner))
    .map(([symbol, name]) => ({ pattern: `symbol:${symbol}`, name }));
  const index = (list: readonly Alias[]) =>
    indexFile(list.map(({ pattern, name }) => ({ key: foldAlias(pattern), value: name, priority: priority(name) })));

  const files = new Map<string, string | Uint8Array>([
    ['modules.dep', lines(depLines)],
    [
      'modules.dep.bin',
      indexFile([...order.keys()].map((name, i) => ({ key: name, value: depLines[i] ?? '', priority: i }))),
    ],
    ['modules.alias', lines(['# Aliases extracted from modules themselves.', ...aliases.map(aliasLine)])],
    ['modules.alias.bin', index(aliases)],
    ['modules.symbols', lines(['# Aliases for symbols, used by symbol_request().', ...symbols.map(aliasLine)])],
    [
      'modules.symbols.bin',
      indexFile(symbols.map((s): IndexEntry => ({ key: s.pattern, value: s.name, priority: priority(s.name) }))),
    ],
    [
      'modules.softdep',
      lines(['# Soft dependencies extracted from modules themselves.', ...keptDirectives(tree, 'softdep', kept)]),
    ],
    ['modules.order', lines(tree.order.filter((path) => kept.has(moduleName(path))).map(storedPath))],
    ['modules.devname', lines(['# Device nodes to trigger on-demand module loading.', ...devnames(tree, kept)])],
    ['modules.builtin', tree.text('modules.builtin') ?? ''],
    ['modules.builtin.bin', indexFile([...tree.builtin.keys()].map((key) => ({ key, value: '', priority: 0 })))],
    ['modules.builtin.modinfo', tree.text('modules.builtin.modinfo') ?? ''],
    ['modules.builtin.alias.bin', index(tree.builtinAliases)],
  ]);
  if (tree.text('modules.weakdep') !== undefined) {
    const weakdeps = keptDirectives(tree, 'weakdep', kept);
    files.set('modules.weakdep', lines(['# Weak dependencies extracted from modules themselves.', ...weakdeps]));
  }
  return files;
}

function keep(tree: ModuleTree, names: Iterable<string>): Set<string> {
  const kept = new Set<string>();
  for (const name of names) for (const needed of [moduleName(name), ...tree.hard(name)]) kept.add(needed);
  return kept;
}

function depLine(tree: ModuleTree, name: string): string {
  const paths = tree.hard(name).map((need) => ` ${storedPath(tree.path(need) ?? '')}`);
  return `${storedPath(tree.path(name) ?? '')}:${paths.join('')}`;
}

function aliasLine({ pattern, name }: Alias): string {
  return `alias ${pattern} ${name}`;
}

function devnames(tree: ModuleTree, kept: ReadonlySet<string>): string[] {
  return tree.devnames.filter(({ name }) => kept.has(name)).map(({ line }) => line);
}

function keptDirectives(tree: ModuleTree, keyword: 'softdep' | 'weakdep', kept: ReadonlySet<string>): string[] {
  const rows = [...directives(tree.text(`modules.${keyword}`) ?? '', keyword)];
  return rows.filter(([name = '']) => kept.has(moduleName(name))).map((row) => [keyword, ...row].join(' '));
}

function lines(list: readonly string[]): string {
  return list.map((line) => `${line}\n`).join('');
}
