import { stat } from 'node:fs/promises';
import { type ModuleTree, moduleSize } from 'node-kmod-deps';
import pLimit from 'p-limit';
import { recordedModules } from './recorded.ts';
import { resolveDrivers } from './resolve.ts';
import { loadDriverSets } from './sets.ts';
import { kmodErrors } from './tree.ts';

/** What a driver set is on a kernel, everything it needs included. */
export interface SetSummary {
  name: string;
  description: string;
  /** Names, sorted. */
  modules: string[];
  /** Those of them the initrd has. */
  essential: string[];
  /** What of it the kernel has built in. */
  builtin: string[];
  /** Files the modules declare, relative to /lib/firmware. */
  firmware: string[];
  /** Bytes of the modules on the media, before compression; null where the modules themselves are not there. */
  size: number | null;
}

/**
 * What each set resolves to on a kernel, all in the order given.
 * @throws MindiError `driver-set.*`, `kernel.*`
 */
export async function summarizeSets(tree: ModuleTree, names: readonly string[]): Promise<SetSummary[]> {
  const loaded = new Map((await loadDriverSets(names)).map((set) => [set.name, set]));
  const sizes = new ModuleSizes(tree);
  const summaries: SetSummary[] = [];
  for (const name of names) {
    const { modules, essential, builtin, firmware } = await resolveDrivers({ tree, sets: [name] });
    summaries.push({
      name,
      description: loaded.get(name)?.description ?? '',
      modules: [...modules.keys()],
      essential,
      builtin: [...builtin.keys()],
      firmware: firmware.map(({ file }) => file),
      size: await kmodErrors(() => sizes.sum([...modules.keys()])),
    });
  }
  return summaries;
}

/** Bytes of modules, decompressed. Each module's size is read once, however often it is asked for. */
export class ModuleSizes {
  readonly #tree: ModuleTree;
  readonly #limit = pLimit(4);
  readonly #sizes = new Map<string, Promise<number | null>>();

  constructor(tree: ModuleTree) {
    this.#tree = tree;
  }

  async sum(names: readonly string[]): Promise<number | null> {
    const sizes = await Promise.all(names.map((name) => this.of(name)));
    return sizes.includes(null) ? null : sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
  }

  /** Null for a module whose file is not there and whose size is not on record. */
  of(name: string): Promise<number | null> {
    const known = this.#sizes.get(name) ?? this.#limit(() => this.#read(name));
    this.#sizes.set(name, known);
    return known;
  }

  async #read(name: string): Promise<number | null> {
    const file = this.#tree.file(name);
    if (file !== undefined && (await isFile(file))) return await moduleSize(file);
    return recordedModules(this.#tree).get(name)?.size ?? null;
  }
}

const isFile = async (path: string): Promise<boolean> => {
  const stats = await stat(path).catch(() => undefined);
  return stats?.isFile() ?? false;
};
