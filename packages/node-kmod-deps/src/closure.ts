import { FAMILIES, type Family } from './families.ts';
import { isGlob } from './glob.ts';
import { fold } from './names.ts';
import type { ModuleTree, Target } from './tree.ts';

/** How a module came into a closure. */
export type DependencyKind = 'named' | 'hard' | 'soft' | 'weak' | 'family';

export interface ClosureEntry {
  name: string;
  kind: DependencyKind;
  /** From the named module to the one that asked for this, nearest last; empty for a named one. */
  via: string[];
  /** The word the asking module used: a name, or an alias such as `crypto-crc32c`. */
  wanted: string;
}

export interface ClosureOptions {
  soft?: boolean;
  weak?: boolean;
  /** request_module families; a table of one's own, or false for none. */
  families?: boolean | readonly Family[];
  /** More weak dependencies, from .modinfo, where depmod was too old to write modules.weakdep. */
  weakdeps?: ReadonlyMap<string, readonly string[]>;
  /** Modules that must not come in; what needs them is still in the result. */
  without?: ReadonlySet<string>;
  /** Modules that come in only where a named one needs them, not where one merely asks for them. */
  unwanted?: ReadonlySet<string>;
}

export interface Closure {
  /** Loadable modules, the named ones first, then as they were found. */
  modules: Map<string, ClosureEntry>;
  /** The same for what the kernel has built in. */
  builtin: Map<string, ClosureEntry>;
  /** Names given that are neither. */
  unknown: string[];
}

/**
 * Follows hard dependencies to their end before any soft, weak or family one, so that a module that is needed is never
 * said to be only wanted. What is wanted but not in this kernel is left out: only the kernel knows whether it will ask.
 */
export function closureOf(tree: ModuleTree, names: Iterable<string>, options: ClosureOptions): Closure {
  const closure: Closure = { modules: new Map(), builtin: new Map(), unknown: [] };
  const queue: ClosureEntry[] = [];
  const add = (target: Target, entry: ClosureEntry) => {
    const known = target.builtin ? closure.builtin : closure.modules;
    if (known.has(target.name) || options.without?.has(target.name)) return;
    known.set(target.name, entry);
    if (!target.builtin) queue.push(entry);
  };
  const follow = (from: ClosureEntry, kind: DependencyKind, wanted: string) => {
    for (const target of targetsOf(tree, wanted)) {
      if (target.name === from.name || (kind !== 'hard' && options.unwanted?.has(target.name))) continue;
      add(target, { name: target.name, kind, via: [...from.via, from.name], wanted });
    }
  };
  for (const name of names) {
    const targets = tree.lookup(name);
    if (targets.length === 0) closure.unknown.push(name);
    for (const target of targets) add(target, { name: target.name, kind: 'named', via: [], wanted: name });
  }
  const softer = [...wishes(tree, options)];
  let done = 0;
  while (done < queue.length) {
    const level: ClosureEntry[] = [];
    for (; done < queue.length; done += 1) {
      const entry = queue[done] as ClosureEntry;
      level.push(entry);
      for (const need of tree.direct(entry.name)) follow(entry, 'hard', need);
    }
    for (const [kind, wish] of softer) {
      for (const entry of level) for (const wanted of wish(entry.name)) follow(entry, kind, wanted);
    }
  }
  return closure;
}

function* wishes(
  tree: ModuleTree,
  options: ClosureOptions,
): Generator<[DependencyKind, (name: string) => readonly string[]]> {
  if (options.soft !== false) yield ['soft', (name) => tree.allSoft(name)];
  if (options.weak !== false) yield ['weak', (name) => [...tree.weak(name), ...(options.weakdeps?.get(name) ?? [])]];
  if (options.families !== false) {
    const table = Array.isArray(options.families) ? (options.families as readonly Family[]) : FAMILIES;
    const byModule = Map.groupBy(table, (family) => fold(family.module));
    yield ['family', (name) => byModule.get(name)?.flatMap((family) => family.wants) ?? []];
  }
}

function targetsOf(tree: ModuleTree, wanted: string): Target[] {
  return isGlob(wanted) ? tree.select(wanted) : tree.lookup(wanted);
}
