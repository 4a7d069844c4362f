import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fs from 'fs-extra';
import { MindiError, messageOf } from '../contract/error.ts';
import { cached, hashOf } from './cache.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Everything of ours the bundle could be made from. */
const SOURCES = ['initramfs', 'contract', 'packages/node-kmod-deps/src'];

/**
 * The TypeScript init as ES modules that node and bun run, by file name: init.mjs, and beside it what it loads only when
 * it needs it. The same sources give the same bytes; they are made again only when one of them has changed.
 * @throws MindiError `init.bundle` when the sources do not fit together
 */
export async function bundleInit(): Promise<Map<string, string>> {
  const path = await cached('init', `${await sourcesHash()}.json`, async (temporary) => {
    await fs.writeFile(temporary, JSON.stringify(await bundle()));
  });
  return new Map(JSON.parse(await readFile(path, 'utf8')));
}

async function bundle(): Promise<[name: string, text: string][]> {
  const { build } = await import('esbuild');
  try {
    const { outputFiles } = await build({
      absWorkingDir: ROOT,
      entryPoints: { init: 'initramfs/main.ts' },
      outdir: '/',
      outExtension: { '.js': '.mjs' },
      chunkNames: 'init-[hash]',
      splitting: true,
      bundle: true,
      write: false,
      platform: 'node',
      format: 'esm',
      target: 'es2022',
      conditions: ['source'],
      // For libraries that are CommonJS: aws4.
      banner: { js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);" },
      // Names stay, for whoever reads the log of a crash.
      minifySyntax: true,
      minifyWhitespace: true,
      legalComments: 'none',
      logLevel: 'silent',
    });
    return outputFiles.map(({ path, text }): [string, string] => [basename(path), text]).sort();
  } catch (error) {
    throw new MindiError(`the init cannot be bundled: ${messageOf(error)}`, {
      code: 'init.bundle',
      exitCode: 70,
      cause: error,
    });
  }
}

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
