import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fold, METADATA_FILES, ModuleTree } from 'node-kmod-deps/tree';
import type { BootParameters } from '../contract/boot-parameters.ts';
import { list } from './devices.ts';
import { InsmodPool } from './insmod-pool.ts';
import { log } from './log.ts';

/** Shells that insert modules at the same time: drivers sleep while their hardware wakes up, so more than processors. */
const SHELLS = 4;

/** What insmod says when a driver looked and found nothing of its own: no fault. */
const NOTHING_THERE = /^(No such device|No such device or address|Operation not supported|Device or resource busy)$/;

/** The modules on the media: finds those a device asks for and inserts them with what they need, each once. */
export class KernelModules {
  /** Sentences about modules that could not be inserted. */
  readonly problems: string[] = [];
  readonly #directory: string;
  readonly #options: Map<string, string[]>;
  readonly #denied: Set<string>;
  readonly #pool = new InsmodPool(SHELLS);
  readonly #inserted = new Map<string, Promise<boolean>>();
  #tree: ModuleTree;

  constructor(release: string, parameters: Pick<BootParameters, 'deny' | 'moduleOptions'>) {
    this.#directory = join('/usr/lib/modules', release);
    this.#options = parameters.moduleOptions;
    this.#denied = new Set(parameters.deny.map(fold));
    this.#tree = this.#readTree();
  }

  /** Reads the directory's metadata again: the second stage brings more modules. */
  reload(): void {
    this.#tree = this.#readTree();
  }

  /** Whether a module on the media or a built-in driver answers this modalias. */
  answers(modalias: string): boolean {
    return this.#tree.lookup(modalias).length > 0;
  }

  /** Inserts every module that answers one of the names or modaliases. Resolves when each is in or has failed. */
  async loadAll(aliases: Iterable<string>): Promise<void> {
    await Promise.all([...new Set(aliases)].map((alias) => this.load(alias)));
  }

  /**
   * Inserts what answers a module name or modalias, soft dependencies included, in modprobe's order.
   * @returns whether anything answered it, loadable or built in
   */
  async load(nameOrAlias: string): Promise<boolean> {
    const targets = this.#tree.lookup(nameOrAlias);
    for (const { name, builtin } of targets) {
      if (builtin || this.#denied.has(name)) continue;
      for (const one of this.#tree.loadOrder(name)) {
        if (!this.#denied.has(one)) await this.#insert(one);
      }
    }
    return targets.length > 0;
  }

  /** Ends the helper shells; they start again when needed. */
  rest(): void {
    this.#pool.close();
  }

  #insert(name: string): Promise<boolean> {
    const running = this.#inserted.get(name);
    if (running) return running;
    const started = this.#insertNow(name);
    this.#inserted.set(name, started);
    return started;
  }

  async #insertNow(name: string): Promise<boolean> {
    const file = this.#tree.file(name);
    if (!file) return false;
    const began = performance.now();
    const failure = await this.#pool.insert(file, this.#options.get(name) ?? []);
    log(`insmod ${name}: ${failure ?? 'ok'} (${(performance.now() - began).toFixed(0)} ms)`);
    if (failure && !NOTHING_THERE.test(failure))
      this.problems.push(`The kernel module ${name} could not be loaded: ${failure}.`);
    return failure === null;
  }

  #readTree(): ModuleTree {
    const read = (file: string) => {
      try {
        return readFileSync(join(this.#directory, file), 'utf8');
      } catch {
        return undefined;
      }
    };
    // Modules loaded by the shim are not asked for again.
    for (const name of list('/sys/module')) {
      if (list('/sys/module', name).includes('initstate')) this.#inserted.set(name, Promise.resolve(true));
    }
    const texts = Object.fromEntries(METADATA_FILES.map((file) => [file, read(file)]));
    try {
      return ModuleTree.fromTexts(texts, { directory: this.#directory });
    } catch (error) {
      this.problems.push(
        `The list of kernel modules is damaged (${(error as Error).message}): no driver can be loaded.`,
      );
      return ModuleTree.fromTexts({}, { directory: this.#directory });
    }
  }
}
