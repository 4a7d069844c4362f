import { globSync, readFileSync } from 'node:fs';
import { dirname, posix, relative } from 'node:path';
import type { Tree } from './follow.ts';

/** Where glibc and musl look when nothing says otherwise; man 8 ld.so. Debian's glibc has its multiarch triplet as well. */
const TRIPLETS = ['x86_64', 'i386', 'aarch64', 'arm', 'riscv64', 'powerpc64le', 's390x', 'loongarch64'];
const DEFAULTS = [
  ...['/lib64', '/usr/lib64', '/lib', '/usr/lib'],
  ...TRIPLETS.flatMap((cpu) => [`/lib/${cpu}-linux-gnu`, `/usr/lib/${cpu}-linux-gnu`]),
  ...['/lib/arm-linux-gnueabihf', '/usr/lib/arm-linux-gnueabihf', '/usr/local/lib'],
];
const DEEPEST_INCLUDE = 8;

/**
 * The directories a dynamic loader searches after RUNPATH, without doubles: those of ld.so.conf and its includes (what
 * ldconfig puts into its cache), then the built-in ones. Only directories that exist, free of symbolic links.
 */
export function libraryDirectories(tree: Tree): string[] {
  const configured = [...readConf(tree, '/etc/ld.so.conf', 0), ...muslPath(tree), ...DEFAULTS];
  const real = configured.flatMap((directory) => tree.realDirectory(posix.resolve('/', directory)) ?? []);
  return [...new Set(real)];
}

function readConf(tree: Tree, path: string, depth: number): string[] {
  if (depth > DEEPEST_INCLUDE) return [];
  return text(tree, path)
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .flatMap((line) => {
      const [word, ...patterns] = line.split(/\s+/);
      if (word === 'include') return patterns.flatMap((pattern) => included(tree, path, pattern, depth));
      // `hwcap` lines are of no use today; `DIRECTORY=TYPE` is libc5's.
      return line === '' || word === 'hwcap' ? [] : [line.replace(/=.*/, '')];
    });
}

function included(tree: Tree, from: string, pattern: string, depth: number): string[] {
  const absolute = posix.resolve(dirname(from), pattern);
  return globSync(relative('/', absolute), { cwd: tree.root })
    .sort()
    .flatMap((match) => readConf(tree, posix.join('/', match), depth + 1));
}

/** musl's /etc/ld-musl-ARCH.path: directories between colons or newlines. */
function muslPath(tree: Tree): string[] {
  return globSync('etc/ld-musl-*.path', { cwd: tree.root }).flatMap((match) =>
    text(tree, posix.join('/', match)).split(/[:\n]/).filter(Boolean),
  );
}

function text(tree: Tree, path: string): string {
  try {
    return readFileSync(tree.follow(path)?.source ?? '', 'utf8');
  } catch {
    return '';
  }
}
