/**
 * A kernel's modules as depmod's files tell them. Pure: no file is read here and nothing native is loaded, so that it
 * also runs in an initramfs from one bundled file.
 */
import { AliasIndex } from './alias-index.ts';
import { type Closure, type ClosureOptions, closureOf } from './closure.ts';
import { KmodError } from './error.ts';
import { globMatch } from './glob.ts';
import { IndexReader } from './index-reader.ts';
import { type ConfigFile, type ModprobeConfig, parseModprobeConfig } from './modprobe-config.ts';
import { fold, foldAlias, isModuleFile, moduleName } from './names.ts';
import {
  type Alias,
  type DepEntry,
  parseAlias,
  parseBuiltinModinfo,
  parseDep,
  parseDevname,
  parsePaths,
  parseSoftdep,
  parseWeakdep,
  type Softdep,
  words,
} from './parse.ts';
import { type ProbeStep, probeSteps } from './probe.ts';

export { AliasIndex } from './alias-index.ts';
export type { Closure, ClosureEntry, ClosureOptions, DependencyKind } from './closure.ts';
export { KmodError, type KmodErrorCode } from './error.ts';
export { FAMILIES, type Family } from './families.ts';
export { globMatch, isGlob } from './glob.ts';
export { type ConfigFile, type ModprobeConfig, parseModprobeConfig } from './modprobe-config.ts';
export { fold, foldAlias, isModuleFile, moduleName, withoutSuffix } from './names.ts';
export { type Alias, parseSoftdepValue, type Softdep } from './parse.ts';
export type { ProbeStep } from './probe.ts';

/** depmod's text files, and those the kernel build leaves beside the modules. */
export const METADATA_FILES = [
  'modules.dep',
  'modules.alias',
  'modules.softdep',
  'modules.weakdep',
  'modules.builtin',
  'modules.builtin.modinfo',
  'modules.symbols',
  'modules.order',
  'modules.devname',
] as const;
export type MetadataFile = (typeof METADATA_FILES)[number];

export interface TreeOptions {
  /** Absolute path of the modules directory (`/usr/lib/modules/6.1.0-50-amd64`), where its files are on this host. */
  directory?: string;
  /** modules.alias.bin: aliases are then looked up there, and modules.alias is read only for what needs all of them. */
  aliasIndex?: Buffer | undefined;
  /** modprobe.d: `alias`, `install`, `softdep`, `blacklist`, `options`. */
  config?: readonly ConfigFile[];
}

/** What a name or an alias stands for. */
export interface Target {
  name: string;
  builtin: boolean;
}

export class ModuleTree {
  readonly directory: string | null;
  readonly config: ModprobeConfig;
  readonly #read: (file: MetadataFile) => string | undefined;
  readonly #modules: Map<string, DepEntry>;
  readonly #cache = new Map<string, unknown>();
  readonly #written: IndexReader | null;

  /** @throws KmodError when modules.dep is truncated, malformed or cyclic. */
  constructor(read: (file: MetadataFile) => string | undefined, options: TreeOptions = {}) {
    this.#read = read;
    this.directory = options.directory ?? null;
    this.config = parseModprobeConfig(options.config);
    this.#modules = parseDep(read('modules.dep') ?? '');
    this.#written = options.aliasIndex ? new IndexReader(options.aliasIndex) : null;
  }

  /** A tree from the files' contents: `{'modules.dep': '…', 'modules.alias': '…'}`. Only modules.dep is needed. */
  static fromTexts(texts: Partial<Record<MetadataFile, string>>, options: TreeOptions = {}): ModuleTree {
    return new ModuleTree((file) => texts[file], options);
  }

  /** A metadata file as it is; undefined when the tree has none. */
  text(file: MetadataFile): string | undefined {
    return this.#read(file);
  }

  /** Every module's name, in the order of modules.dep. */
  get names(): string[] {
    return [...this.#modules.keys()];
  }

  /** Whether there is a loadable module of that name (or path). */
  has(name: string): boolean {
    return this.#modules.has(moduleName(name));
  }

  /** As modules.dep writes it: `kernel/drivers/scsi/sd_mod.ko.xz`. */
  path(name: string): string | undefined {
    return this.#modules.get(moduleName(name))?.path;
  }

  /** Where the module's file is on this host; undefined for no module, or a tree that is only metadata. */
  file(name: string): string | undefined {
    const path = this.path(name);
    if (path === undefined || path.startsWith('/')) return path;
    return this.directory === null ? undefined : `${this.directory}/${path}`;
  }

  /**
   * The modules it needs, all levels, in the order of modules.dep: the last is inserted first.
   * @throws KmodError module.unknown
   */
  hard(name: string): string[] {
    return this.#entry(name).needs;
  }

  /** Of `hard`, those that the module needs itself and not only through another. */
  direct(name: string): string[] {
    const needs = this.hard(name);
    const indirect = new Set(needs.flatMap((need) => this.hard(need)));
    return needs.filter((need) => !indirect.has(need));
  }

  /** What modprobe loads before and after it: the first softdep line that names it, modprobe.d's before the tree's. */
  soft(name: string): { pre: string[]; post: string[] } {
    const found = this.#softdeps.find((softdep) => globMatch(softdep.name, fold(name)));
    return found ? { pre: found.pre, post: found.post } : { pre: [], post: [] };
  }

  /** All that any softdep line says of it, words without `pre:` or `post:` too: what it may want, not what modprobe loads. */
  allSoft(name: string): string[] {
    const said = this.#softdepsByName.get(fold(name)) ?? [];
    return [...new Set(said.flatMap((softdep) => [...softdep.pre, ...softdep.unmarked, ...softdep.post]))];
  }

  /** modules.weakdep: what it may ask for at run time. */
  weak(name: string): string[] {
    return this.#weakdeps.get(fold(name)) ?? [];
  }

  /** Whether that module is part of the kernel image. */
  isBuiltin(name: string): boolean {
    return this.builtin.has(moduleName(name));
  }

  /** Paths of the built-in modules by name; empty without modules.builtin. */
  get builtin(): Map<string, string> {
    return this.#once('builtin', () => {
      const paths = parsePaths(this.#read('modules.builtin') ?? '').filter(isModuleFile);
      return new Map(paths.map((path) => [moduleName(path), path]));
    });
  }

  /** Aliases of built-in modules, from modules.builtin.modinfo (Linux 5.2). */
  get builtinAliases(): Alias[] {
    return this.#once('builtinAliases', () =>
      this.builtinModinfo.filter(({ key }) => key === 'alias').map(({ name, value }) => ({ pattern: value, name })),
    );
  }

  /** .modinfo of the built-in modules. */
  get builtinModinfo(): { name: string; key: string; value: string }[] {
    return this.#once('builtinModinfo', () => parseBuiltinModinfo(this.#read('modules.builtin.modinfo') ?? ''));
  }

  /** Aliases the loadable modules declare, in depmod's order. */
  get aliases(): Alias[] {
    return this.#once('aliases', () => parseAlias(this.#read('modules.alias') ?? ''));
  }

  /** Exported symbols and their modules. Symbols of the kernel image are not among them. */
  get symbols(): Map<string, string> {
    return this.#once('symbols', () => {
      const aliases = parseAlias(this.#read('modules.symbols') ?? '');
      return new Map(aliases.map(({ pattern, name }) => [pattern.replace(/^symbol:/, ''), name]));
    });
  }

  /** Paths in the order the kernel was linked. Its names end in .ko even where the files end in .ko.xz. */
  get order(): string[] {
    return this.#once('order', () => parsePaths(this.#read('modules.order') ?? ''));
  }

  /** modules.devname: `{name, line}` of modules that make a static device node. */
  get devnames(): { name: string; line: string }[] {
    return this.#once('devnames', () => parseDevname(this.#read('modules.devname') ?? ''));
  }

  /** Loadable modules that answer a modalias: what `modprobe -R MODALIAS` prints, in its order. */
  matchAlias(modalias: string): string[] {
    return this.lookup(modalias).map((target) => target.name);
  }

  /**
   * Every module a name or an alias stands for, as libkmod looks it up: modprobe.d aliases, modules, symbols, install
   * commands, aliases, built-in modules and their aliases; the first kind that knows it answers.
   */
  lookup(nameOrAlias: string): Target[] {
    const known = (names: readonly string[]) =>
      names.map((name) => ({ name, builtin: !this.#modules.has(name) && this.builtin.has(name) }));
    const query = isModuleFile(nameOrAlias) ? moduleName(nameOrAlias) : foldAlias(nameOrAlias);
    const configured = this.#configAliases.match(query);
    if (configured.length > 0) return known(configured);
    if (this.#modules.has(query)) return known([query]);
    if (query.startsWith('symbol:')) {
      const exporter = this.symbols.get(nameOrAlias.slice('symbol:'.length));
      if (exporter) return known([exporter]);
    }
    if (this.config.install.has(query)) return known([query]);
    const matched = this.#aliasIndex.match(query);
    if (matched.length > 0) return known(matched);
    if (this.builtin.has(query)) return known([query]);
    return known(this.#builtinAliasIndex.match(query));
  }

  /** Whether a blacklist line forbids to load that module through an alias. */
  isBlacklisted(name: string): boolean {
    return this.config.blacklist.has(fold(name));
  }

  /** Modules, loadable and built in, whose name or one of whose alias patterns, read as text, matches the glob. */
  select(glob: string): Target[] {
    const pattern = foldAlias(glob);
    const names = new Set<string>();
    for (const name of this.#modules.keys()) if (globMatch(pattern, name)) names.add(name);
    for (const name of this.builtin.keys()) if (globMatch(pattern, name)) names.add(name);
    for (const alias of this.#foldedAliases) if (globMatch(pattern, alias.pattern)) names.add(alias.name);
    return [...names].map((name) => ({ name, builtin: !this.#modules.has(name) }));
  }

  /**
   * What `modprobe --show-depends` prints: the modules to insert in order, soft dependencies and install commands
   * included, each module once.
   * @throws KmodError module.unknown for a name that is neither module, alias nor built in
   */
  probe(nameOrAlias: string): ProbeStep[] {
    const targets = this.lookup(nameOrAlias);
    if (targets.length === 0) throw unknownModule(nameOrAlias);
    return probeSteps(this, targets);
  }

  /** Modules to insert for a name or an alias, in order. Without `soft`, only hard dependencies and the module itself. */
  loadOrder(nameOrAlias: string, options: { soft?: boolean } = {}): string[] {
    if (options.soft !== false) {
      return this.probe(nameOrAlias).flatMap((step) => (step.action === 'insert' ? [step.name] : []));
    }
    const targets = this.lookup(nameOrAlias);
    if (targets.length === 0) throw unknownModule(nameOrAlias);
    const order = targets.flatMap(({ name, builtin }) => (builtin ? [] : [...this.hard(name).toReversed(), name]));
    return [...new Set(order)];
  }

  /** Everything the named modules need or may ask for, each with how it came in. */
  closure(names: Iterable<string>, options: ClosureOptions = {}): Closure {
    return closureOf(this, names, options);
  }

  #entry(name: string): DepEntry {
    const entry = this.#modules.get(moduleName(name));
    if (!entry) throw unknownModule(name);
    return entry;
  }

  get #softdeps(): Softdep[] {
    return this.#once('softdeps', () => [
      ...this.config.softdepsFirst,
      ...parseSoftdep(this.#read('modules.softdep') ?? ''),
      ...this.config.softdepsLast,
    ]);
  }

  get #softdepsByName(): Map<string, Softdep[]> {
    return this.#once('softdepsByName', () => Map.groupBy(this.#softdeps, (softdep) => softdep.name));
  }

  get #weakdeps(): Map<string, string[]> {
    return this.#once('weakdeps', () => {
      const grouped = Map.groupBy(parseWeakdep(this.#read('modules.weakdep') ?? ''), (weakdep) => weakdep.name);
      return new Map([...grouped].map(([name, list]) => [name, list.flatMap((weakdep) => weakdep.weak)]));
    });
  }

  get #aliasIndex(): Pick<AliasIndex, 'match'> {
    return this.#written ?? this.#once('aliasIndex', () => new AliasIndex(this.aliases));
  }

  get #builtinAliasIndex(): AliasIndex {
    return this.#once('builtinAliasIndex', () => new AliasIndex(this.builtinAliases));
  }

  get #configAliases(): AliasIndex {
    return this.#once('configAliases', () => new AliasIndex(this.config.aliases));
  }

  get #foldedAliases(): Alias[] {
    return this.#once('foldedAliases', () =>
      [...this.aliases, ...this.builtinAliases].map(({ pattern, name }) => ({ pattern: foldAlias(pattern), name })),
    );
  }

  #once<T>(key: string, make: () => T): T {
    if (!this.#cache.has(key)) this.#cache.set(key, make());
    return this.#cache.get(key) as T;
  }
}

function unknownModule(name: string): KmodError {
  return new KmodError('module.unknown', `no module, alias or built-in driver is called ${JSON.stringify(name)}`, {
    hint: words(name).length > 1 ? 'One name, please.' : 'Check the spelling; this kernel may not have it.',
  });
}
