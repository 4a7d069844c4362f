import { type Closure, fold, type ModuleTree, storedPath } from 'node-kmod-deps';
import { MindiError } from '../../contract/error.ts';
import type { Reason } from '../../contract/manifest.ts';
import { didYouMean } from '../profile/suggest.ts';
import { importersOf, type ModuleFacts, moduleFacts } from './facts.ts';
import { type Importers, parseSelector, type Selector, selected } from './selector.ts';
import { type DriverSet, loadDriverSets } from './sets.ts';
import { kmodErrors } from './tree.ts';

export interface ResolveDriversOptions {
  tree: ModuleTree;
  /** Driver sets by name or path. */
  sets: readonly string[];
  /** More selectors. What they bring goes to the second stage, unless a set calls it essential. */
  include?: readonly string[];
  /** Selectors of what must not be there, nor anything that cannot work without it. */
  exclude?: readonly string[];
  /** Where sets are looked up by name; mindi's own when not given. */
  setDirectories?: readonly string[];
  /** Place in the profile, for errors: `where('include', 2)`. */
  where?: (list: 'sets' | 'include' | 'exclude', index: number) => string | undefined;
}

export interface SelectedModule {
  /** The file on this host, absolute, compressed as it may be. Empty for a tree that is only metadata. */
  path: string;
  /** Below /usr/lib/modules/RELEASE on the media, decompressed: `kernel/drivers/scsi/sd_mod.ko`. */
  stored: string;
  reasons: Reason[];
}

export interface Firmware {
  /** As modules declare it, relative to /lib/firmware; may be a glob. */
  file: string;
  /** Modules, sorted. */
  wantedBy: string[];
}

export interface DriverSelection {
  /** Modules of the initrd, what they need included, sorted. */
  essential: string[];
  /** All others, sorted. */
  stage2: string[];
  /** Modules to load by name at boot, in order. They are among the essential ones. */
  load: string[];
  /** Every module of both stages, sorted by name. */
  modules: Map<string, SelectedModule>;
  /** What was asked for and the kernel has built in, sorted by name. */
  builtin: Map<string, Reason[]>;
  /** What the modules (and the built-in drivers asked for) declare, sorted by file. */
  firmware: Firmware[];
  /** Modules a set or an include means, left out because they need an excluded one: name and that one. */
  dropped: Map<string, string>;
}

/** A module and the line that asked for it. */
type Roots = Map<string, Reason>;

/**
 * Turns driver sets and selectors into modules: what is selected, everything it needs, and what it may ask for.
 * A set's line that finds nothing is no error: kernels differ. An include that finds nothing is one.
 * @throws MindiError `driver-set.*`, `drivers.selector`, `drivers.unknown`, `drivers.conflict`, `kernel.*`
 */
export async function resolveDrivers(options: ResolveDriversOptions): Promise<DriverSelection> {
  return await kmodErrors(() => resolve(options));
}

async function resolve(options: ResolveDriversOptions): Promise<DriverSelection> {
  const { tree, where = () => undefined } = options;
  const importers = importersOf(tree);
  const sets = await loadDriverSets(options.sets, options.setDirectories, (i) => where('sets', i));
  const excluded = await exclusions(options, importers);
  const broken = needing(tree, excluded);
  const essential: Roots = new Map();
  const all: Roots = new Map();
  const unwanted = new Set<string>();
  for (const set of sets) await addSet(set, tree, importers, { essential, all, unwanted });
  for (const [name, reason] of await inclusions(options, excluded, broken, importers)) all.set(name, reason);

  const dropped = new Map<string, string>();
  for (const roots of [essential, all]) {
    for (const name of [...roots.keys()]) {
      const because = broken.get(name);
      if (because !== undefined) dropped.set(name, because);
      if (because !== undefined || excluded.has(name)) roots.delete(name);
    }
  }
  for (const name of all.keys()) unwanted.delete(name);
  const without = new Set([...excluded, ...broken.keys()]);
  const closures = await bothClosures(tree, essential, all, { without, unwanted });
  return selection(tree, sets, all, closures, dropped);
}

async function addSet(
  set: DriverSet,
  tree: ModuleTree,
  importers: Importers,
  to: { essential: Roots; all: Roots; unwanted: Set<string> },
): Promise<void> {
  const rule = (selector: Selector) => `drivers.sets: ${set.name} (${selector.text})`;
  const essential = await evaluate(set.essential, tree, importers);
  const later = await evaluate(set.modules, tree, importers);
  for (const name of [...essential.minus, ...later.minus]) to.unwanted.add(name);
  for (const [name, selector] of essential.plus) keepFirst(to.essential, name, named(rule(selector), selector));
  for (const [name, selector] of [...essential.plus, ...later.plus]) {
    keepFirst(to.all, name, named(rule(selector), selector));
  }
}

/** The last selector that means a module decides about it. */
async function evaluate(
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
        plus.set(name, selector);
      }
    }
  }
  return { plus, minus };
}

/** What the excludes mean. A name no kernel part answers to excludes nothing, which is what was asked. */
async function exclusions(
  { tree, exclude = [], where }: ResolveDriversOptions,
  importers: Importers,
): Promise<Set<string>> {
  const selectors = exclude.map((text, i) => {
    const selector = parseSelector(text, where?.('exclude', i));
    return selector.minus ? doubleMinus(text, where?.('exclude', i)) : selector;
  });
  return new Set((await evaluate(selectors, tree, importers)).plus.keys());
}

function doubleMinus(text: string, where: string | undefined): never {
  throw new MindiError(`exclude: ${JSON.stringify(text)} would take away what is taken away`, {
    code: 'drivers.selector',
    where,
    hint: `Write ${JSON.stringify(text.slice(1))}, or put it under include.`,
  });
}

/** Every module that hard-needs an excluded one, and which. */
function needing(tree: ModuleTree, excluded: ReadonlySet<string>): Map<string, string> {
  const broken = new Map<string, string>();
  if (excluded.size === 0) return broken;
  for (const name of tree.names) {
    const need = tree.hard(name).find((each) => excluded.has(each));
    if (need !== undefined && !excluded.has(name)) broken.set(name, need);
  }
  return broken;
}

/** @throws MindiError for all includes that find nothing, or name what an exclude takes away */
async function inclusions(
  { tree, include = [], where = () => undefined }: ResolveDriversOptions,
  excluded: ReadonlySet<string>,
  broken: ReadonlyMap<string, string>,
  importers: Importers,
): Promise<Roots> {
  const problems: MindiError[] = [];
  const chosen = new Map<string, Selector>();
  for (const [i, text] of include.entries()) {
    const selector = parseSelector(text, where('include', i));
    const names = await selected(selector, tree, importers);
    if (names.length === 0 && !selector.minus) problems.push(unknown(selector, tree, where('include', i)));
    for (const name of names) {
      if (selector.minus) chosen.delete(name);
      else chosen.set(name, selector);
      if (selector.kind !== 'name' || selector.minus) continue;
      const why = excluded.has(name) ? name : broken.get(name);
      if (why !== undefined) problems.push(conflict(text, why, where('include', i)));
    }
  }
  if (problems.length > 0) throw MindiError.all(problems, 'drivers.include:', 'drivers.invalid');
  return new Map([...chosen].map(([name, selector]) => [name, named(`drivers.include: ${selector.text}`, selector)]));
}

function unknown(selector: Selector, tree: ModuleTree, where: string | undefined): MindiError {
  const { text, kind, pattern } = selector;
  const names = [...tree.names, ...tree.builtin.keys()];
  return new MindiError(
    kind === 'name'
      ? `this kernel has no module or built-in driver called ${JSON.stringify(text)}`
      : `${JSON.stringify(text)} finds no module in this kernel`,
    {
      code: 'drivers.unknown',
      where,
      hint: (kind === 'name' && didYouMean(pattern, names)) || 'Remove it, or choose a kernel that has it.',
    },
  );
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

/** The closures of the first stage and of both together. Weak dependencies are in the modules, so those are read on the way. */
async function bothClosures(
  tree: ModuleTree,
  essential: Roots,
  all: Roots,
  limits: { without: Set<string>; unwanted: Set<string> },
): Promise<{ first: Closure; both: Closure; facts: Map<string, ModuleFacts> }> {
  const weakdeps = new Map<string, string[]>();
  for (;;) {
    const options = { ...limits, weakdeps };
    const first = tree.closure(essential.keys(), options);
    const both = tree.closure([...essential.keys(), ...all.keys()], options);
    const facts = await moduleFacts(tree, [...both.modules.keys()]);
    const fresh = [...facts].filter(([name, fact]) => fact.weakdeps.length > 0 && !weakdeps.has(name));
    if (fresh.length === 0) return { first, both, facts };
    for (const [name, fact] of fresh) weakdeps.set(name, fact.weakdeps);
  }
}

function selection(
  tree: ModuleTree,
  sets: readonly DriverSet[],
  roots: Roots,
  { first, both, facts }: Awaited<ReturnType<typeof bothClosures>>,
  dropped: Map<string, string>,
): DriverSelection {
  const reason = (from: Closure['modules'], name: string): Reason[] => {
    const entry = from.get(name);
    const root = roots.get(entry?.via[0] ?? name);
    if (!entry || !root) return [];
    return entry.kind === 'named' ? [root] : [{ rule: root.rule, via: entry.via, kind: entry.kind }];
  };
  const names = [...both.modules.keys()].sort();
  const modules = names.map((name): [string, SelectedModule] => [
    name,
    {
      path: tree.file(name) ?? '',
      stored: storedPath(tree.path(name) ?? ''),
      reasons: reason(first.modules.has(name) ? first.modules : both.modules, name),
    },
  ]);
  const builtin = [...both.builtin.keys()].sort();
  const wantedAtBoot = sets
    .flatMap((set) => set.load)
    .flatMap((name) => tree.lookup(name).map((target) => target.name));
  return {
    essential: names.filter((name) => first.modules.has(name)),
    stage2: names.filter((name) => !first.modules.has(name)),
    load: [...new Set(wantedAtBoot)].filter((name) => first.modules.has(name)),
    modules: new Map(modules),
    builtin: new Map(builtin.map((name) => [name, reason(both.builtin, name)])),
    firmware: firmwareOf(tree, facts, both.builtin),
    dropped,
  };
}

function firmwareOf(
  tree: ModuleTree,
  facts: ReadonlyMap<string, ModuleFacts>,
  builtin: ReadonlyMap<string, unknown>,
): Firmware[] {
  const wishes = [
    ...[...facts].flatMap(([name, { firmware }]) => firmware.map((file) => ({ file, name }))),
    ...tree.builtinModinfo
      .filter(({ name, key }) => key === 'firmware' && builtin.has(name))
      .map(({ name, value }) => ({ file: value, name })),
  ];
  return [...Map.groupBy(wishes, ({ file }) => file)]
    .map(([file, by]) => ({ file, wantedBy: [...new Set(by.map(({ name }) => name))].sort() }))
    .sort((a, b) => (a.file < b.file ? -1 : 1));
}

const named = (rule: string, selector: Selector): Reason => ({
  rule,
  kind: selector.kind === 'alias' ? 'alias' : 'named',
});

function keepFirst(roots: Roots, name: string, reason: Reason): void {
  if (!roots.has(name)) roots.set(name, reason);
}
