import type { ModuleTree, Target } from 'node-kmod-deps';
import type { Reason } from '../../contract/manifest.ts';
import { didYouMean } from '../../contract/settings/suggest.ts';
import { importersOf } from '../drivers/facts.ts';
import { targetsToday } from '../drivers/history.ts';
import { fateOf } from '../drivers/names.ts';
import { OWN_SET } from '../drivers/pieces.ts';
import { resolveDrivers } from '../drivers/resolve.ts';
import type { Selection } from '../drivers/selection.ts';
import { parseExclude, type Selector, selected } from '../drivers/selector.ts';
import { driverSetNames, loadDriverSets } from '../drivers/sets.ts';
import type { Profile } from '../profile/load.ts';
import { absent, type Finding } from './finding.ts';

export interface DriverInputs {
  profile: Pick<Profile, 'drivers' | 'where' | 'initrd'>;
  release: string;
  tree: ModuleTree;
  selection: Selection;
}

/**
 * What a module, a path of one, an alias (of a device, say), or a driver's name of old stands for; nothing for a name no
 * kernel has.
 */
export async function explainModule(name: string, inputs: DriverInputs): Promise<Finding[]> {
  const { tree } = inputs;
  const { status, targets, note } = fateOf(tree, name);
  if (targets.length > 0) {
    const all = targetsToday(tree, name);
    const how = answersNote(name, status === 'renamed' ? note : null, tree);
    return await Promise.all(all.map((target) => explainTarget(target, how, inputs)));
  }
  const another = ['another kernel: `kernel:` in the profile'];
  if (name.includes(':')) return [absent('module', name, ['no driver of this kernel answers it'], another)];
  if (status === 'unknown') return [];
  return [absent('module', name, note === null ? [] : [note], status === 'absent' ? another : [])];
}

/** How a name that is none of a module of this kernel leads to one. */
function answersNote(name: string, history: string | null, tree: ModuleTree): string | undefined {
  if (history !== null) return `${name}: ${history}`;
  return tree.has(name) || tree.isBuiltin(name) ? undefined : `it answers ${name}`;
}

/** The nearest module of the kernel, as a question. */
export const nearestModule = (name: string, { names, builtin }: ModuleTree): string | undefined =>
  didYouMean(name, [...names, ...builtin.keys()]);

async function explainTarget(target: Target, how: string | undefined, inputs: DriverInputs): Promise<Finding> {
  const { tree, selection, profile, release } = inputs;
  const { name } = target;
  const answers = how === undefined ? [] : [how];
  if (target.builtin) {
    const why = selection.builtin.get(name) ?? [];
    const notes = [...answers, `built into the kernel: ${tree.builtin.get(name)}`];
    return { what: 'module', name, present: true, place: 'kernel', path: null, why, notes, bring: [] };
  }
  const module = selection.modules.get(name);
  if (!module) return await missing(name, answers, inputs);
  const inInitrd = profile.initrd.fold || selection.essential.includes(name);
  return {
    what: 'module',
    name,
    present: true,
    place: inInitrd ? 'initrd' : 'second stage',
    path: `/usr/lib/modules/${release}/${module.stored}`,
    why: distinct(module.reasons),
    notes: [...answers, ...dependencies(name, tree)],
    bring: [],
  };
}

function dependencies(name: string, tree: ModuleTree): string[] {
  const needs = tree.hard(name).toReversed();
  return needs.length > 0 ? [`it needs ${needs.join(', ')}`] : [];
}

function distinct(reasons: readonly Reason[]): Reason[] {
  return [...new Map(reasons.map((reason) => [JSON.stringify(reason), reason])).values()];
}

/** Why a module that this kernel has is not on the media. */
async function missing(name: string, answers: readonly string[], inputs: DriverInputs): Promise<Finding> {
  const { selection, profile } = inputs;
  const { drivers } = profile;
  const notes = [...answers];
  const excluded = await lineThatMeans(name, drivers.exclude, inputs);
  if (excluded !== undefined) {
    return absent(
      'module',
      name,
      [...notes, `drivers.exclude takes it away: ${shown(excluded, inputs)}`],
      ['take that line out'],
    );
  }
  const need = selection.dropped.get(name);
  if (need !== undefined) {
    const line = await lineThatMeans(need, drivers.exclude, inputs);
    const by = line === undefined ? '' : ` (${shown(line, inputs)})`;
    notes.push(`it cannot work without ${need}, which drivers.exclude takes away${by}`);
    return absent('module', name, notes, ['take that line out']);
  }
  const chosen = await setsWith(name, [...drivers.sets, OWN_SET], inputs);
  if (chosen.length > 0 && drivers.scope !== 'all') {
    notes.push(`the scope ${drivers.scope} leaves it out: no device of those machines asks for it`);
    return absent('module', name, notes, [
      `drivers: { migrateTo: [..., ${name}] }`,
      `drivers: { include: [..., ${name}] }`,
    ]);
  }
  notes.push(...(await linesThatTakeAway(name, inputs)), 'no chosen set brings it');
  const others = await setsWith(
    name,
    driverSetNames().filter((set) => !drivers.sets.includes(set)),
    inputs,
  );
  const bySet = others.map((set) => `drivers: { sets: [..., ${set}] }`);
  return absent('module', name, notes, [`drivers: { include: [..., ${name}] }`, ...bySet]);
}

/** `no*cs at web1.yaml:7:14`. */
function shown(index: number, { profile }: DriverInputs): string {
  return `${profile.drivers.exclude[index]} at ${profile.where(['drivers', 'exclude', index])}`;
}

/** Index of the last line that decides about a module. */
async function lineThatMeans(
  name: string,
  lines: readonly string[],
  { tree }: DriverInputs,
): Promise<number | undefined> {
  const importers = importersOf(tree);
  for (const [i, text] of [...lines.entries()].reverse()) {
    if ((await selected(parseExclude(text), tree, importers)).includes(name)) return i;
  }
  return undefined;
}

/** Lines with `-` in the chosen sets that mean the module. */
async function linesThatTakeAway(name: string, { tree, profile }: DriverInputs): Promise<string[]> {
  const importers = importersOf(tree);
  const sets = await loadDriverSets(profile.drivers.sets);
  const found: string[] = [];
  for (const { name: set, essential, modules } of sets) {
    const minus = new Map<string, Selector>(
      [...essential, ...modules].filter((line) => line.minus).map((line) => [line.text, line]),
    );
    for (const line of minus.values()) {
      if ((await selected(line, tree, importers)).includes(name))
        found.push(`the set ${set} leaves it out (${line.text})`);
    }
  }
  return found;
}

/** Of these sets, the ones that bring the module themselves. */
async function setsWith(name: string, sets: readonly string[], { tree }: DriverInputs): Promise<string[]> {
  const found: string[] = [];
  for (const set of new Set(sets)) if ((await modulesOfSet(set, tree)).has(name)) found.push(set);
  return found;
}

const setsOfTrees = new WeakMap<ModuleTree, Map<string, Promise<ReadonlySet<string>>>>();

/** Resolved once a kernel: coverage asks for many names. */
function modulesOfSet(set: string, tree: ModuleTree): Promise<ReadonlySet<string>> {
  const known = setsOfTrees.get(tree) ?? new Map<string, Promise<ReadonlySet<string>>>();
  setsOfTrees.set(tree, known);
  const names = known.get(set) ?? resolveDrivers({ tree, sets: [set] }).then(({ modules }) => new Set(modules.keys()));
  known.set(set, names);
  return names;
}
