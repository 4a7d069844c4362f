import type { ModuleTree } from 'node-kmod-deps';
import { evaluate, type Request } from './request.ts';
import type { Importers } from './selector.ts';
import { loadDriverSets } from './sets.ts';

/** One machine whose devices are known. */
export interface Machine {
  /** `this machine`, or its model and the name of its hardware file. */
  name: string;
  /** As sysfs shows them. */
  modaliases: readonly string[];
}

/** What narrows driver sets to machines. */
export interface Scope {
  machines: readonly Machine[];
  /** Filesystem types the media must read, as blkid names them; null: any. */
  filesystems: readonly string[] | null;
}

/** The set of what stays whatever the machines have. */
export const ALWAYS_SET = 'always';

/**
 * Takes out of the requests what no device of the machines answers to, and what is not needed anyway. It only takes
 * away: what the sets do not have does not come in.
 */
export async function narrow(
  requests: readonly Request[],
  tree: ModuleTree,
  scope: Scope,
  importers: Importers,
): Promise<void> {
  const drivers = driversOf(tree, scope.machines);
  const anyway = await neededAnyway(tree, scope.filesystems, importers);
  for (const roots of requests.flatMap(({ essential, all }) => [essential, all])) {
    for (const [name, reason] of roots) {
      const machine = drivers.get(name);
      if (machine !== undefined) roots.set(name, { ...reason, rule: `${reason.rule}, scope: ${machine}` });
      else if (!anyway.has(name)) roots.delete(name);
    }
  }
}

/** Modules that drive a device of the machines, and the first machine that has one. */
export function driversOf(tree: ModuleTree, machines: readonly Machine[]): Map<string, string> {
  const drivers = new Map<string, string>();
  for (const { name, modaliases } of machines) {
    for (const asked of modaliases) {
      for (const target of tree.lookup(asked)) if (!drivers.has(target.name)) drivers.set(target.name, name);
    }
  }
  return drivers;
}

async function neededAnyway(
  tree: ModuleTree,
  filesystems: Scope['filesystems'],
  importers: Importers,
): Promise<Set<string>> {
  const names = new Set<string>();
  for (const set of await loadDriverSets([ALWAYS_SET])) {
    for (const selectors of [set.essential, set.modules]) {
      for (const name of (await evaluate(selectors, tree, importers)).plus.keys()) names.add(name);
    }
  }
  for (const name of filesystems === null ? allFilesystems(tree) : filesystemModules(tree, filesystems))
    names.add(name);
  return names;
}

function filesystemModules(tree: ModuleTree, types: readonly string[]): string[] {
  return types.flatMap((type) => tree.lookup(`fs-${type}`).map(({ name }) => name));
}

function allFilesystems(tree: ModuleTree): string[] {
  return tree.names.filter((name) => tree.path(name)?.startsWith('kernel/fs/'));
}
