import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fold, METADATA_FILES, type MetadataFile, ModuleTree } from 'node-kmod-deps/tree';
import type { BootParameters } from '../contract/boot-request.ts';
import { LEFT_OUT_FILE } from '../contract/left-out.ts';
import type { MissingModule } from '../contract/report.ts';
import { loadedModules } from './hardware.ts';
import { inOrder } from './in-order.ts';
import { InsmodPool } from './insmod-pool.ts';
import { LeftOut } from './left-out.ts';
import { log } from './log.ts';

/** Shells that insert modules at the same time: drivers sleep while their hardware wakes up, so more than processors. */
const SHELLS = 4;

/** What is needed to find and insert modules. */
const LOADABLE: readonly MetadataFile[] = ['modules.dep', 'modules.alias', 'modules.softdep'];
/** Aliases are looked up where they lie: reading all of them takes long. */
const ALIASES = 'modules.alias.bin';

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
  readonly #inserted = new Map<string, Promise<void>>();
  /** Loadable modules only. What is built in takes long to read and matters only where nothing loadable answers. */
  #tree: ModuleTree;
  #whole: ModuleTree | undefined;
  #leftOut: LeftOut | undefined;

  constructor(release: string, parameters: Pick<BootParameters, 'deny' | 'moduleOptions'>) {
    this.#directory = join('/usr/lib/modules', release);
    this.#options = parameters.moduleOptions;
    this.#denied = new Set(parameters.deny.map(fold));
    this.#tree = this.#readTree(LOADABLE);
    this.#rememberLoaded();
  }

  /** Reads the directory's metadata again: the second stage brings more modules. */
  reload(): void {
    this.#tree = this.#readTree(LOADABLE);
    this.#whole = undefined;
    this.#rememberLoaded();
  }

  /** Whether a module on the media or a built-in driver answers this name or modalias. */
  answers(nameOrAlias: string): boolean {
    if (this.#tree.lookup(nameOrAlias).length > 0) return true;
    this.#whole ??= this.#readTree(METADATA_FILES);
    return this.#whole.lookup(nameOrAlias).length > 0;
  }

  /** Modules of this kernel that would answer, were they on the media. */
  leftOut(nameOrAlias: string): MissingModule[] {
    this.#leftOut ??= new LeftOut(this.#text(LEFT_OUT_FILE) ?? '');
    return this.#leftOut.find(nameOrAlias);
  }

  /** Inserts every module that answers one of the names or modaliases. Resolves when each is in or has failed. */
  async loadAll(aliases: Iterable<string>): Promise<void> {
    const lists = [...new Set(aliases)].map((alias) => this.#tree.lookup(alias).map(({ name }) => name));
    await inOrder(lists, (name) => this.#load(name));
  }

  /** Inserts a module and what it needs, soft dependencies included, in modprobe's order. */
  async #load(name: string): Promise<void> {
    if (this.#denied.has(name)) return;
    for (const one of this.#tree.loadOrder(name)) {
      if (!this.#denied.has(one)) await this.#insert(one);
    }
  }

  /** Ends the helper shells; they start again when needed. */
  rest(): void {
    this.#pool.close();
  }

  #insert(name: string): Promise<void> {
    const running = this.#inserted.get(name);
    if (running) return running;
    const started = this.#insertNow(name);
    this.#inserted.set(name, started);
    return started;
  }

  async #insertNow(name: string): Promise<void> {
    const file = this.#tree.file(name);
    if (!file) return;
    const began = performance.now();
    const failure = await this.#pool.insert(file, this.#options.get(name) ?? []);
    log(`insmod ${name}: ${failure ?? 'ok'} (${(performance.now() - began).toFixed(0)} ms)`);
    if (failure && !NOTHING_THERE.test(failure))
      this.problems.push(`The kernel module ${name} could not be loaded: ${failure}.`);
  }

  /** What is in is not asked for again; what failed before may find now what it lacked. */
  #rememberLoaded(): void {
    this.#inserted.clear();
    for (const name of loadedModules()) this.#inserted.set(name, Promise.resolve());
  }

  #readTree(files: readonly MetadataFile[]): ModuleTree {
    const read = (file: MetadataFile) => (files.includes(file) ? this.#text(file) : undefined);
    try {
      return new ModuleTree(read, { directory: this.#directory, aliasIndex: this.#bytes(ALIASES) });
    } catch (error) {
      this.problems.push(
        `The list of kernel modules is damaged (${(error as Error).message}): no driver can be loaded.`,
      );
      return ModuleTree.fromTexts({}, { directory: this.#directory });
    }
  }

  #text(file: string): string | undefined {
    return this.#bytes(file)?.toString('utf8');
  }

  #bytes(file: string): Buffer | undefined {
    try {
      return readFileSync(join(this.#directory, file));
    } catch {
      return undefined;
    }
  }
}
