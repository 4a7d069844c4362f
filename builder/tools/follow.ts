import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { basename, dirname, join, posix, relative } from 'node:path';
import { MindiError, messageOf } from '../../contract/error.ts';

/** A symbolic link on the way, as it will be on the medium. */
export interface Link {
  path: string;
  target: string;
}

/** Where a path of the host leads. */
export interface Followed {
  /** Where the file itself will be on the medium, below /usr wherever the host has it merged or not. */
  path: string;
  /** Where it is on this machine. */
  source: string;
  stats: Stats;
  /** Every symbolic link between the path that was asked for and the file, in order. */
  links: Link[];
}

/** Kernel's limit, ELOOP beyond it. */
const MOST_LINKS = 40;

/** /bin, /sbin and /lib* are links into /usr on the medium. */
export function merged(path: string): string {
  return /^\/(?:bin|sbin|lib|lib32|lib64|libx32)(?:\/|$)/.test(path) ? `/usr${path}` : path;
}

/** Follows paths of a tree that may be another machine's: no link leads out of `root`. */
export class Tree {
  readonly root: string;
  readonly #directories = new Map<string, string | undefined>();

  constructor(root = '/') {
    this.root = root;
  }

  /** Where a path inside the tree is on this machine. */
  source(path: string): string {
    return this.root === '/' ? path : join(this.root, path);
  }

  /** The other way round. */
  inside(source: string): string {
    return this.root === '/' ? source : posix.resolve('/', relative(this.root, source));
  }

  /** The file, directory or device a path leads to; undefined when it leads nowhere. */
  follow(asked: string): Followed | undefined {
    const links: Link[] = [];
    let path = posix.normalize(asked);
    for (let hops = 0; hops < MOST_LINKS; hops++) {
      const directory = this.realDirectory(dirname(path));
      if (directory === undefined) return undefined;
      const real = posix.join(directory, basename(path));
      const place = merged(real);
      if (place !== merged(path)) links.push({ path: merged(path), target: place });
      const stats = this.#stats(real);
      if (!stats) return undefined;
      if (!stats.isSymbolicLink()) return { path: place, source: this.source(real), stats, links };
      const target = readlinkSync(this.source(real));
      path = posix.resolve(directory, target);
      // A relative target counts from where the link is, and unmerged that may be one level higher than on the medium.
      links.push({ path: place, target: place === real || !target.startsWith('..') ? target : merged(path) });
    }
    return undefined;
  }

  /** A directory's path without symbolic links, inside the tree; undefined when there is none. */
  realDirectory(path: string): string | undefined {
    if (path === '/') return '/';
    if (!this.#directories.has(path)) {
      this.#directories.set(path, undefined); // a loop of links finds this
      this.#directories.set(path, this.#resolve(path));
    }
    return this.#directories.get(path);
  }

  #resolve(path: string): string | undefined {
    const parent = this.realDirectory(dirname(path));
    if (parent === undefined) return undefined;
    const real = posix.join(parent, basename(path));
    const stats = this.#stats(real);
    if (stats?.isSymbolicLink()) return this.realDirectory(posix.resolve(parent, readlinkSync(this.source(real))));
    return stats?.isDirectory() ? real : undefined;
  }

  #stats(path: string): Stats | undefined {
    try {
      return lstatSync(this.source(path), { throwIfNoEntry: false });
    } catch (error) {
      throw new MindiError(messageOf(error), {
        code: 'tools.unreadable',
        where: this.source(path),
        hint: 'Build as a user who may read it.',
        cause: error,
      });
    }
  }
}
