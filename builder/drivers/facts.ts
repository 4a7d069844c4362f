import { statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import fs from 'fs-extra';
import { type Modinfo, type ModuleTree, modinfoValues, readImports, readModinfo } from 'node-kmod-deps';
import pLimit from 'p-limit';
import { cacheDirectory, hashOf, writeBeside } from '../cache.ts';
import { recordedModules } from './recorded.ts';
import type { Importers } from './selector.ts';

/** What only a module's own .modinfo says. */
export interface ModuleFacts {
  /** Files it may ask for, as declared: globs included, without compression suffix. */
  firmware: string[];
  weakdeps: string[];
}

/** Size and time of a module's file: while they stay, so do its facts. */
type Stamp = string;
type Cached<T> = Record<string, [Stamp, T]>;

/** Decompression happens on the thread pool; more at once would only hold more memory. */
const AT_ONCE = 8;

/**
 * Reads .modinfo of the modules, in parallel, and remembers it in mindi's cache. For modules whose files are not there (a
 * tree that is only metadata) the tree's record answers; without one they have no facts.
 */
export async function moduleFacts(tree: ModuleTree, names: readonly string[]): Promise<Map<string, ModuleFacts>> {
  const facts = await remembered('modinfo', tree, names, async (file) => factsOf(await readModinfo(file)));
  if (facts.size === names.length) return facts;
  const recorded = recordedModules(tree);
  for (const name of names) {
    const record = facts.has(name) ? undefined : recorded.get(name);
    if (record) facts.set(name, { firmware: record.firmware, weakdeps: record.weakdeps });
  }
  return facts;
}

/** Of one module's .modinfo. */
export function factsOf(modinfo: Modinfo): ModuleFacts {
  const weakdeps = modinfoValues(modinfo, 'weakdep').flatMap((value) => value.split(/\s+/).filter(Boolean));
  return { firmware: modinfoValues(modinfo, 'firmware'), weakdeps };
}

/**
 * Which modules import a symbol. Where a module exports it, only those that need that module are read. Where the files
 * are not there the tree's record answers; without one all of these count.
 */
export function importersOf(tree: ModuleTree): Importers {
  return async (symbol, among) => {
    const exporter = tree.symbols.get(symbol);
    const candidates = exporter ? among.filter((name) => tree.hard(name).includes(exporter)) : among;
    const known = await remembered(`imports-${symbol}`, tree, candidates, async (file) =>
      (await readImports(file)).includes(symbol),
    );
    if (known.size === 0) return importersOnRecord(tree, symbol, candidates) ?? (exporter ? [...candidates] : []);
    return candidates.filter((name) => known.get(name));
  };
}

function importersOnRecord(tree: ModuleTree, symbol: string, candidates: readonly string[]): string[] | undefined {
  const recorded = recordedModules(tree);
  const said = candidates.some((name) => recorded.get(name)?.imports);
  return said ? candidates.filter((name) => recorded.get(name)?.imports?.includes(symbol)) : undefined;
}

/** `read` for each module's file, but only where the cache does not know the answer for that very file. */
async function remembered<T>(
  kind: string,
  tree: ModuleTree,
  names: readonly string[],
  read: (file: string) => Promise<T>,
): Promise<Map<string, T>> {
  const path = cacheDirectory('drivers', `${hashOf([kind, tree.text('modules.dep')])}.json`);
  const cache: Cached<T> = await fs.readJson(path).catch(() => ({}));
  const facts = new Map<string, T>();
  const unknown: { name: string; file: string; stamp: Stamp }[] = [];
  for (const name of names) {
    const file = tree.file(name);
    const stamp = file && stampOf(file);
    const known = cache[name];
    if (stamp && known?.[0] === stamp) facts.set(name, known[1]);
    else if (stamp) unknown.push({ name, file, stamp });
  }
  if (unknown.length === 0) return facts;
  await pLimit(AT_ONCE).map(unknown, async ({ name, file, stamp }) => {
    await setImmediate(); // what else is going on has its turn between two files
    const fact = await read(file);
    cache[name] = [stamp, fact];
    facts.set(name, fact);
  });
  await writeBeside(path, (temporary) => fs.writeJson(temporary, cache));
  return facts;
}

function stampOf(file: string): Stamp | undefined {
  const facts = statSync(file, { throwIfNoEntry: false });
  return facts && `${facts.size}-${facts.mtimeMs}`;
}
