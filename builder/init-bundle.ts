import { readFile } from 'node:fs/promises';
import { basename, join, parse, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';
import fs from 'fs-extra';
import { MindiError, messageOf } from '../contract/error.ts';
import { PATHS } from '../contract/rescue-config.ts';
import { cached, hashOf } from './cache.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Everything of ours the bundle could be made from. */
const SOURCES = ['initramfs', 'contract', 'capture', 'restore', 'packages/node-kmod-deps/src'];

/** Programs of the rescue system: the init, and beside it what is big and seldom needed, which it loads only then. */
const PROGRAMS = {
  [basename(PATHS.init)]: 'initramfs/main.ts',
  'stick-config.cjs': 'initramfs/stick/config.ts',
  'layout.cjs': 'initramfs/layout/index.ts',
};

/**
 * The TypeScript init as CommonJS programs that node and bun run, by file name. Node starts them faster than ES modules,
 * and what is imported dynamically lies in them but is run only then. The same sources give the same bytes; they are made
 * again only when one of them has changed.
 * @throws MindiError `init.bundle` when the sources do not fit together
 */
export async function bundleInit(): Promise<[name: string, text: string][]> {
  const path = await cached('init', `${await sourcesHash()}.json`, async (temporary) => {
    await fs.writeFile(temporary, JSON.stringify(await bundle()));
  });
  return JSON.parse(await readFile(path, 'utf8'));
}

/** All programs at once: what several of them hold is parsed once. */
async function bundle(): Promise<[name: string, text: string][]> {
  const { build } = await import('esbuild');
  try {
    const { outputFiles } = await build({
      absWorkingDir: ROOT,
      entryPoints: Object.entries(PROGRAMS).map(([name, entry]) => ({ in: entry, out: parse(name).name })),
      outdir: '.',
      outExtension: { '.js': '.cjs' },
      bundle: true,
      write: false,
      platform: 'node',
      format: 'cjs',
      target: 'es2022',
      // Of Node's own modules too: require() spares the whole loader of ES modules.
      supported: { 'dynamic-import': false },
      conditions: ['source'],
      plugins: [OTHER_PROGRAMS],
      // Names stay, for whoever reads the log of a crash.
      minifySyntax: true,
      minifyWhitespace: true,
      legalComments: 'none',
      logLevel: 'silent',
    });
    return outputFiles.map(({ path, text }) => [basename(path), text]);
  } catch (error) {
    throw new MindiError(`the init cannot be bundled: ${messageOf(error)}`, {
      code: 'init.bundle',
      exitCode: 70,
      cause: error,
    });
  }
}

/** Files that are called as programs are: for any other esbuild need not ask. */
const ENTRIES = new RegExp(
  `/(${Object.values(PROGRAMS)
    .map((entry) => parse(entry).name)
    .join('|')})\\.ts$`,
);

/** What is a program of its own is loaded from there. */
const OTHER_PROGRAMS: Plugin = {
  name: 'other programs',
  setup: ({ onResolve }) =>
    onResolve({ filter: ENTRIES }, ({ kind, path, resolveDir }) => {
      const source = relative(ROOT, join(resolveDir, path));
      const [name] = Object.entries(PROGRAMS).find(([, entry]) => entry === source) ?? [];
      return kind === 'dynamic-import' && name ? { path: `./${name}`, external: true } : undefined;
    }),
};

async function sourcesHash(): Promise<string> {
  const files = await Promise.all(SOURCES.map(typescriptFiles));
  const contents = files.flat().map(async (file) => [file, await readFile(join(ROOT, file), 'utf8')]);
  const lock = await readFile(join(ROOT, 'package-lock.json'), 'utf8');
  return hashOf([lock, await Promise.all(contents)]);
}

async function typescriptFiles(directory: string): Promise<string[]> {
  const names = await fs.readdir(join(ROOT, directory), { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => join(directory, name));
}
