import { type Closure, type ModuleTree, storedPath } from 'node-kmod-deps';
import type { Reason } from '../../contract/manifest.ts';
import { importersOf, type ModuleFacts, moduleFacts } from './facts.ts';
import { fatesOf, type ListFates } from './fates.ts';
import { targetsToday } from './history.ts';
import { inclusions } from './include.ts';
import { migrations } from './migrate.ts';
import { evaluate, type Request, type Roots, requestOf } from './request.ts';
import { narrow, type Scope } from './scope.ts';
import { type Importers, parseExclude } from './selector.ts';
import { type DriverSet, loadDriverSets } from './sets.ts';
import { kmodErrors } from './tree.ts';

/** The profile's lists below `drivers:` that mean modules. */
export type DriverList = 'sets' | 'include' | 'exclude' | 'migrateTo';

export interface ResolveDriversOptions {
  tree: ModuleTree;
  /** Driver sets by name or path. */
  sets: readonly string[];
  /** More selectors. What they bring goes to the second stage, unless a set calls it essential. */
  include?: readonly string[];
  /** Selectors of what must not be there, nor anything that cannot work without it. */
  exclude?: readonly string[];
  /** Targets, sets and selectors of machines the system may move to. They come whole, whatever the scope. */
  migrateTo?: readonly string[];
  /** Of the sets only what these machines need; everything when not given. */
  scope?: Scope;
  /** Where sets are looked up by name; mindi's own when not given. */
  setDirectories?: readonly string[];
  /** Place in the profile, for errors: `where('include', 2)`. */
  where?: (list: DriverList, index: number) => string | undefined;
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
  /** What became of the names in the profile's lists and in driver sets of one's own, where it is worth telling. */
  fates: ListFates[];
  /** All modules of the kernel that the excludes forbid: name, and the excluded one it needs or is. */
  forbidden: Map<string, string>;
}

/**
 * Turns driver sets and selectors into modules: what is selected, everything it needs, and what it may ask for.
 * A set's line that finds nothing is no error: kernels differ. An include that finds nothing is one, unless it is the
 * name of a driver that this kernel lacks or Linux has no more.
 * @throws MindiError `driver-set.*`, `drivers.selector`, `drivers.unknown`, `drivers.conflict`, `kernel.*`
 */
export async function resolveDrivers(options: ResolveDriversOptions): Promise<DriverSelection> {
  return await kmodErrors(() => resolve(options));
}

async function resolve(options: ResolveDriversOptions): Promise<DriverSelection> {
  const { tree, where } = options;
  const importers = importersOf(tree);
  const sets = await loadDriverSets(options.sets, options.setDirectories, (i) => where?.('sets', i));
  const migration = await migrations(options.migrateTo ?? [], options.setDirectories, (i) => where?.('migrateTo', i));
  const excluded = await exclusions(options, importers);
  const broken = needing(tree, excluded);
  const limits = { tree, importers, excluded, broken };
  const lines = (options.include ?? []).map((text, i) => ({ text, where: where?.('include', i) }));
  const included = await inclusions('include', lines, limits);
  const moved = await inclusions('migrateTo', migration.lines, { ...limits, alternatives: migration.alternatives });

  const requests: Request[] = [];
  for (const set of sets) requests.push(await requestOf(set, tree, importers));
  // What lines name stays as essential as a set calls it, when the scope takes it out of that set.
  const essential = new Set(options.scope ? requests.flatMap((request) => [...request.essential.keys()]) : []);
  if (options.scope) await narrow(requests, tree, options.scope, importers);
  for (const set of migration.sets) requests.push(await requestOf(set, tree, importers, 'migrateTo'));
  for (const all of [moved, included]) {
    const first = new Map([...all].filter(([name]) => essential.has(name)));
    requests.push({ essential: first, all, unwanted: new Set() });
  }

  const dropped = withoutExcluded(requests, excluded, broken);
  const found = await follow(tree, requests, new Set([...excluded, ...broken.keys()]));
  const chosen = [...sets, ...migration.sets];
  const forbidden = new Map([...broken, ...[...excluded].map((name) => [name, name] as const)]);
  return { ...selection(tree, chosen, found), dropped, forbidden, fates: fatesOf(tree, options, chosen) };
}

/** Takes the excluded out of the requests. Returns what goes with them, and the excluded module each needs. */
function withoutExcluded(
  requests: readonly Request[],
  excluded: ReadonlySet<string>,
  broken: ReadonlyMap<string, string>,
): Map<string, string> {
  const dropped = new Map<string, string>();
  for (const roots of requests.flatMap(({ essential, all }) => [essential, all])) {
    for (const name of [...roots.keys()]) {
      const because = broken.get(name);
      if (because !== undefined) dropped.set(name, because);
      if (because !== undefined || excluded.has(name)) roots.delete(name);
    }
  }
  return dropped;
}

/** What the excludes mean. A name no kernel part answers to excludes nothing, which is what was asked. */
async function exclusions(
  { tree, exclude = [], where }: ResolveDriversOptions,
  importers: Importers,
): Promise<Set<string>> {
  const selectors = exclude.map((text, i) => parseExclude(text, where?.('exclude', i)));
  return (await evaluate(selectors, tree, importers)).minus;
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

/** Everything the requests lead to. */
interface Found {
  /** Names of the first stage. */
  essential: Set<string>;
  modules: Map<string, Reason[]>;
  builtin: Map<string, Reason[]>;
  facts: Map<string, ModuleFacts>;
}

/** Weak dependencies are written in the modules themselves, so those are read on the way. */
async function follow(tree: ModuleTree, requests: readonly Request[], without: ReadonlySet<string>): Promise<Found> {
  const weakdeps = new Map<string, string[]>();
  for (;;) {
    const essential = new Set<string>();
    const modules = new Map<string, Reason[]>();
    const builtin = new Map<string, Reason[]>();
    for (const { essential: first, all, unwanted } of requests) {
      const options = { without, unwanted, weakdeps };
      for (const name of tree.closure(first.keys(), options).modules.keys()) essential.add(name);
      const both = tree.closure(all.keys(), options);
      addReasons(modules, both.modules, all);
      addReasons(builtin, both.builtin, all);
    }
    const facts = await moduleFacts(tree, [...modules.keys()]);
    const fresh = [...facts].filter(([name, fact]) => fact.weakdeps.length > 0 && !weakdeps.has(name));
    if (fresh.length === 0) return { essential, modules, builtin, facts };
    for (const [name, fact] of fresh) weakdeps.set(name, fact.weakdeps);
  }
}

function addReasons(to: Map<string, Reason[]>, from: Closure['modules'], roots: Roots): void {
  for (const { name, kind, via } of from.values()) {
    const root = roots.get(via[0] ?? name);
    if (!root) continue;
    const reasons = to.get(name) ?? [];
    reasons.push(kind === 'named' ? root : { rule: root.rule, via, kind });
    to.set(name, reasons);
  }
}

function selection(
  tree: ModuleTree,
  sets: readonly DriverSet[],
  { essential, modules, builtin, facts }: Found,
): Omit<DriverSelection, 'dropped' | 'forbidden' | 'fates'> {
  const names = [...modules.keys()].sort();
  const selectedModule = (name: string): SelectedModule => ({
    path: tree.file(name) ?? '',
    stored: storedPath(tree.path(name) ?? ''),
    reasons: modules.get(name) ?? [],
  });
  const wantedAtBoot = sets
    .flatMap((set) => set.load)
    .flatMap((name) => targetsToday(tree, name).map((target) => target.name));
  return {
    essential: names.filter((name) => essential.has(name)),
    stage2: names.filter((name) => !essential.has(name)),
    load: [...new Set(wantedAtBoot)].filter((name) => essential.has(name)),
    modules: new Map(names.map((name) => [name, selectedModule(name)])),
    builtin: new Map([...builtin].sort(([a], [b]) => (a < b ? -1 : 1))),
    firmware: firmwareOf(tree, facts, builtin),
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
