import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ModuleTree, moduleName, type Target } from 'node-kmod-deps';
import { didYouMean } from '../profile/suggest.ts';
import { moduleFacts } from './facts.ts';
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

/**
 * What each name (or alias, or path) is on a kernel; the modules.* files are enough.
 * @throws MindiError `kernel.*` for damaged metadata
 */
export async function resolveNames(tree: ModuleTree, names: readonly string[]): Promise<NameAnswer[]> {
  return await kmodErrors(async () => {
    const asked = names.map((name) => ({ name, targets: tree.lookup(name) }));
    const all = asked.flatMap(({ targets }) => targets.map((target) => target.name));
    const firmware = await declaredFirmware(tree, [...new Set(all)]);
    return asked.map(({ name, targets }) =>
      targets.length > 0 ? present(tree, name, targets, firmware) : missing(tree, name),
    );
  });
}

/** Whether the answer is one a driver can be had with. */
export const isThere = ({ status }: NameAnswer): boolean =>
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

function present(tree: ModuleTree, name: string, targets: readonly Target[], firmware: DeclaredFirmware): NameAnswer {
  const loadable = targets.filter(({ builtin }) => !builtin).map((target) => target.name);
  const load = [...new Set(loadable.flatMap((module) => tree.loadOrder(module, { soft: false })))];
  const [first] = loadable.length > 0 ? loadable : targets.map((target) => target.name);
  return {
    name,
    status: loadable.length > 0 ? 'module' : 'builtin',
    module: first ?? null,
    load,
    soft: [...new Set(loadable.flatMap((module) => tree.loadOrder(module)))].filter((module) => !load.includes(module)),
    firmware: [...new Set(targets.flatMap((target) => firmware.get(target.name) ?? []))],
    note: targets.length > 1 ? `all that answer: ${targets.map((target) => target.name).join(', ')}` : null,
  };
}

function missing(tree: ModuleTree, name: string): NameAnswer {
  const known = knownModules();
  const nothing = { name, module: null, load: [], soft: [], firmware: [] };
  if (known.has(moduleName(name))) {
    return { ...nothing, status: 'absent', note: 'this kernel is built without it; others have it' };
  }
  const near = didYouMean(name, [...tree.names, ...tree.builtin.keys()]) ?? didYouMean(name, known);
  return { ...nothing, status: 'unknown', note: near ?? 'no kernel module is known by this name' };
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
