import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ModuleTree, moduleName, type Target } from 'node-kmod-deps';
import { didYouMean } from '../../contract/settings/suggest.ts';
import { moduleFacts } from './facts.ts';
import { type HistoricName, hasCome, historicName, successors, when } from './history.ts';
import { kmodErrors } from './tree.ts';

/**
 * `module`: loadable; `builtin`: part of the kernel image; `renamed`: another module does its work today; `gone`: removed
 * from Linux; `absent`: other kernels have it, this one does not; `unknown`: no kernel is known to have it.
 */
export type NameStatus = 'module' | 'builtin' | 'renamed' | 'gone' | 'absent' | 'unknown';

/** What a kernel has for a name. */
export interface NameAnswer {
  /** As asked. */
  name: string;
  status: NameStatus;
  /** The module it stands for on this kernel, loadable or built in. */
  module: string | null;
  /** Modules to insert, in order: what it cannot do without, then itself. Nothing for what is built in. */
  load: string[];
  /** What modprobe loads beside those, because of soft dependencies, in its order. */
  soft: string[];
  /** Files it may ask for, as it declares them, relative to /lib/firmware. */
  firmware: string[];
  note: string | null;
}

/** What became of a name, as far as modules.* and mindi's own tables tell. */
export interface NameFate extends Pick<NameAnswer, 'name' | 'status' | 'note'> {
  /** What the name leads to on this kernel, the main one first. */
  targets: Target[];
}

/** What a name (or alias, or path) is on a kernel. */
export function fateOf(tree: ModuleTree, name: string): NameFate {
  const own = tree.lookup(name);
  const history = historicName(name);
  const isAlias = !tree.has(name) && !tree.isBuiltin(name);
  if (history && history.how !== 'split' && isAlias) return historicFate(tree, name, own, history);
  if (own.length > 0) {
    const status = own.some(({ builtin }) => !builtin) ? 'module' : 'builtin';
    return { name, status, targets: own, note: presentNote(tree, own, history) };
  }
  return missing(tree, name);
}

function historicFate(tree: ModuleTree, name: string, own: readonly Target[], history: HistoricName): NameFate {
  const targets = own.length > 0 ? [...own] : successors(tree, history);
  const note = historicNote(history, targets);
  if (targets.length > 0) return { name, status: 'renamed', targets, note };
  const isGone = history.how === 'gone' && hasCome(history, tree);
  return { name, status: isGone ? 'gone' : 'absent', targets, note };
}

/** `replaced since Linux 5.14: sr_mod (hdc is sr0)`; `gone since Linux 5.3: OnStream tapes`. */
function historicNote(history: HistoricName, targets: readonly Target[]): string {
  const { how, today, since, note } = history;
  const change = since === 'never' ? 'never part of Linux' : `${[how, when(history)].filter(Boolean).join(' ')}`;
  if (how === 'gone') return note === '' ? change : `${change}: ${note}`;
  const found = targets.map(({ name, builtin }) => (builtin ? `${name}, built in` : name)).join(', ');
  const fact = targets.length > 0 ? found : `this kernel has no ${today.join(' or ')}`;
  return `${change}: ${fact}${note === '' ? '' : ` (${note})`}`;
}

function presentNote(tree: ModuleTree, own: readonly Target[], history: HistoricName | undefined): string | null {
  if (own.length > 1) return `all that answer: ${own.map((target) => target.name).join(', ')}`;
  const parts = history?.how === 'split' ? successors(tree, history) : [];
  return parts.length > 0 ? `belongs to it: ${parts.map(({ name }) => name).join(', ')} (${history?.note})` : null;
}

function missing(tree: ModuleTree, name: string): NameFate {
  if (knownModules().has(moduleName(name))) {
    return { name, status: 'absent', targets: [], note: 'this kernel is built without it; others have it' };
  }
  const near = didYouMean(name, [...tree.names, ...tree.builtin.keys()]) ?? didYouMean(name, knownModules());
  return { name, status: 'unknown', targets: [], note: near ?? 'no kernel module is known by this name' };
}

/**
 * The same for several names, with what loading them takes; the modules.* files are enough.
 * @throws MindiError `kernel.*` for damaged metadata
 */
export async function resolveNames(tree: ModuleTree, names: readonly string[]): Promise<NameAnswer[]> {
  return await kmodErrors(async () => {
    const fates = names.map((name) => fateOf(tree, name));
    const all = fates.flatMap(({ targets }) => targets.map((target) => target.name));
    const firmware = await declaredFirmware(tree, [...new Set(all)]);
    return fates.map((fate) => answer(tree, fate, firmware));
  });
}

/** Whether the answer is one a driver can be had with. */
export const isThere = ({ status }: Pick<NameAnswer, 'status'>): boolean =>
  status === 'module' || status === 'builtin' || status === 'renamed';

type DeclaredFirmware = ReadonlyMap<string, readonly string[]>;

/** By module, loadable where its file is there, and built in. */
async function declaredFirmware(tree: ModuleTree, names: readonly string[]): Promise<DeclaredFirmware> {
  const facts = await moduleFacts(tree, names);
  const builtin = Map.groupBy(
    tree.builtinModinfo.filter(({ key }) => key === 'firmware'),
    ({ name }) => name,
  );
  return new Map(
    names.map((name) => [name, facts.get(name)?.firmware ?? builtin.get(name)?.map(({ value }) => value) ?? []]),
  );
}

function answer(tree: ModuleTree, { name, status, targets, note }: NameFate, firmware: DeclaredFirmware): NameAnswer {
  const loadable = targets.filter(({ builtin }) => !builtin).map((target) => target.name);
  const load = [...new Set(loadable.flatMap((module) => tree.loadOrder(module, { soft: false })))];
  const [first] = loadable.length > 0 ? loadable : targets.map((target) => target.name);
  return {
    name,
    status,
    module: first ?? null,
    load,
    soft: [...new Set(loadable.flatMap((module) => tree.loadOrder(module)))].filter((module) => !load.includes(module)),
    firmware: [...new Set(targets.flatMap((target) => firmware.get(target.name) ?? []))],
    note,
  };
}

let known: ReadonlySet<string> | undefined;

/** Every name some kernel has a module by, folded. */
export function knownModules(): ReadonlySet<string> {
  known ??= new Set(
    readFileSync(KNOWN_MODULES, 'utf8')
      .split('\n')
      .filter((line) => line && !line.startsWith('#')),
  );
  return known;
}

const KNOWN_MODULES = fileURLToPath(new URL('./known-modules.txt', import.meta.url));
