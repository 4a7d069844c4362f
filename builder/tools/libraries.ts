import { dirname, posix } from 'node:path';
import { type Elf, readElf } from './elf.ts';
import { type Followed, type Link, Tree } from './follow.ts';
import { libraryDirectories } from './ld-conf.ts';

/** A library (or dynamic loader) a program needs, and the chain that led to it, the program first. */
export interface Library {
  /** On the medium. */
  path: string;
  /** On this machine. */
  source: string;
  via: string[];
}

export interface Closure {
  files: Library[];
  links: (Link & { via: string[] })[];
  /** Needed, and nowhere to be found. */
  missing: { soname: string; via: string[] }[];
}

/**
 * The shared libraries some programs need, read from their ELF headers and never by running them: DT_NEEDED,
 * RPATH and RUNPATH with $ORIGIN, ld.so.conf, the default directories, the loader itself, `.note.dlopen`.
 * @param paths of the tree at `root`; a file that is no ELF needs nothing.
 * @throws MindiError for a damaged or unreadable ELF file.
 */
export async function libraryClosure(paths: readonly string[], { root = '/' } = {}): Promise<Closure> {
  const libraries = new Libraries(new Tree(root));
  const closures = paths.map((path) => libraries.of(path));
  return {
    files: unique(closures.flatMap(({ files }) => files)),
    links: unique(closures.flatMap(({ links }) => links)),
    missing: closures.flatMap(({ missing }) => missing),
  };
}

function unique<T extends { path: string }>(found: T[]): T[] {
  return [...new Map(found.map((one) => [one.path, one])).values()];
}

interface Loaded {
  followed: Followed;
  elf: Elf;
  /** Directory it is loaded from: its $ORIGIN. */
  origin: string;
}

/** Something loaded whose own needs are still to be found. */
interface Pending {
  loaded: Loaded;
  /** RPATHs of what loaded it, which are searched for its needs, too. */
  above: readonly string[];
  via: string[];
}

/** Finds libraries in one tree; remembers what it has read. */
export class Libraries {
  readonly tree: Tree;
  readonly #elves = new Map<string, Elf | undefined>();
  readonly #loadable = new Map<string, Loaded | undefined>();
  readonly #defaults = new Map<string, Loaded | undefined>();
  #directories: string[] | undefined;

  constructor(tree: Tree) {
    this.tree = tree;
  }

  /** The ELF headers of a file of this machine; undefined when it is none. */
  elf(source: string): Elf | undefined {
    if (!this.#elves.has(source)) this.#elves.set(source, readElf(source));
    return this.#elves.get(source);
  }

  /** Everything one program (or library) needs to be loaded, without itself; breadth first, as the loader does it. */
  of(path: string): Closure {
    const closure: Closure = { files: [], links: [], missing: [] };
    const program = this.#load(path);
    if (!program) return closure;
    const origin = dirname(this.tree.inside(program.followed.source));
    const names = new Set([path]);
    const sources = new Set([program.followed.source]);
    const queue: Pending[] = [{ loaded: { ...program, origin }, above: [], via: [path] }];
    for (const pending of queue) {
      for (const { soname, found, searched, rpath } of this.#needs(pending, names, closure)) {
        const via = [...pending.via, soname];
        closure.links.push(...found.followed.links.map((link) => ({ ...link, via })));
        this.#reachable(soname, found, searched, closure, via);
        if (sources.has(found.followed.source)) continue;
        sources.add(found.followed.source);
        closure.files.push({ path: found.followed.path, source: found.followed.source, via });
        queue.push({ loaded: found, above: rpath, via });
      }
    }
    return closure;
  }

  /** What is not loaded yet of one file's needs. A name that is loaded serves everyone who asks for it. */
  *#needs({ loaded, above, via }: Pending, names: Set<string>, closure: Closure) {
    const { elf, origin } = loaded;
    const rpath = elf.runpath.length > 0 ? [] : [...expand(elf.rpath, origin), ...above];
    const searched = [...rpath, ...expand(elf.runpath, origin)];
    for (const { sonames, optional } of needsOf(elf)) {
      if (sonames.some((soname) => names.has(soname))) continue;
      const [first] = sonames.flatMap((soname) => {
        const found = this.#find(soname, searched, elf);
        return found ? [{ soname, found, searched, rpath }] : [];
      });
      if (first) {
        for (const name of [first.soname, first.found.elf.soname]) if (name) names.add(name);
        yield first;
      } else if (!optional) closure.missing.push({ soname: sonames.join(' or '), via });
    }
  }

  /**
   * The medium has no ldconfig cache, so a library that lies where only ld.so.conf points to gets a link in a directory
   * every loader searches: that of the C library beside it, or the first default one.
   */
  #reachable(soname: string, found: Loaded, searched: readonly string[], closure: Closure, via: string[]): void {
    const directory = dirname(found.followed.path);
    if (soname.includes('/') || searched.some((path) => this.tree.realDirectory(path) === directory)) return;
    const builtin = builtinDirectory(found.elf);
    if (builtin.includes(directory)) return;
    const home = builtin.find((path) => this.tree.realDirectory(path)) ?? '/usr/lib';
    closure.links.push({ path: posix.join(home, soname), target: found.followed.path, via });
  }

  #find(soname: string, searched: readonly string[], by: Elf): Loaded | undefined {
    if (soname.includes('/')) return this.#load(soname);
    return this.#among(searched, soname, by) ?? this.#byDefault(soname, by);
  }

  #byDefault(soname: string, by: Elf): Loaded | undefined {
    const key = `${by.bits} ${by.machine} ${soname}`;
    if (!this.#defaults.has(key)) {
      this.#directories ??= libraryDirectories(this.tree);
      this.#defaults.set(key, this.#among(this.#directories, soname, by));
    }
    return this.#defaults.get(key);
  }

  #among(directories: readonly string[], soname: string, by: Elf): Loaded | undefined {
    for (const directory of directories) {
      const found = this.#load(`${directory}/${soname}`);
      if (found && found.elf.bits === by.bits && found.elf.machine === by.machine) return found;
    }
    return undefined;
  }

  #load(path: string): Loaded | undefined {
    if (!this.#loadable.has(path)) {
      const followed = this.tree.follow(path);
      const elf = followed?.stats.isFile() ? this.elf(followed.source) : undefined;
      const origin = this.tree.realDirectory(dirname(path)) ?? '/';
      this.#loadable.set(path, followed && elf ? { followed, elf, origin } : undefined);
    }
    return this.#loadable.get(path);
  }
}

/** The loader itself, DT_NEEDED, and the dlopen notes that are more than a suggestion. */
function needsOf({ interpreter, needed, dlopen }: Elf): { sonames: string[]; optional: boolean }[] {
  const notes = dlopen.filter(({ priority }) => priority !== 'suggested');
  return [
    ...[...(interpreter ? [interpreter] : []), ...needed].map((soname) => ({ sonames: [soname], optional: false })),
    ...notes.map(({ soname, priority }) => ({ sonames: soname, optional: priority !== 'required' })),
  ];
}

const MULTIARCH: Record<number, string> = {
  3: 'i386-linux-gnu',
  62: 'x86_64-linux-gnu',
  183: 'aarch64-linux-gnu',
  243: 'riscv64-linux-gnu',
};

/** Where a loader of this class and machine looks without any configuration, most specific first. */
function builtinDirectory({ bits, machine }: Elf): string[] {
  const triplet = MULTIARCH[machine];
  return [...(triplet ? [`/usr/lib/${triplet}`] : []), ...(bits === 64 ? ['/usr/lib64'] : []), '/usr/lib'];
}

/** man 8 ld.so, "Dynamic string tokens". */
function expand(paths: readonly string[], origin: string): string[] {
  return paths
    .flatMap((path) =>
      /\$(?:LIB\b|\{LIB\})/.test(path)
        ? ['lib64', 'lib'].map((lib) => tokens(path, origin, lib))
        : [tokens(path, origin, '')],
    )
    .filter((path) => path.startsWith('/'))
    .map((path) => posix.normalize(path));
}

function tokens(path: string, origin: string, lib: string): string {
  return path.replaceAll(/\$(?:ORIGIN\b|\{ORIGIN\})/g, origin).replaceAll(/\$(?:LIB\b|\{LIB\})/g, lib);
}
