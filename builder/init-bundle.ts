import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fs from 'fs-extra';
import { MindiError, messageOf } from '../contract/error.ts';
import { cached, hashOf } from './cache.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Everything the bundle could be made from. */
const SOURCES = ['initramfs', 'contract', 'packages/node-kmod-deps/src'];

/**
 * The TypeScript init as one ES module that node and bun run. The same sources give the same bytes; it is made again only
 * when one of them has changed.
 * @throws MindiError `init.bundle` when the sources do not fit together
 */
export async function bundleInit(): Promise<Uint8Array> {
  const path = await cached('init', `${await sourcesHash()}.mjs`, async (temporary) => {
    await fs.writeFile(temporary, await bundle());
  });
  return readFile(path);
}

async function bundle(): Promise<Uint8Array> {
  const { build } = await import('esbuild');
  try {
    const { outputFiles } = await build({
      absWorkingDir: ROOT,
      entryPoints: ['initramfs/main.ts'],
      bundle: true,
      write: false,
      platform: 'node',
      format: 'esm',
      target: 'es2022',
      conditions: ['source'],
      legalComments: 'none',
      logLevel: 'silent',
    });
    return outputFiles[0]?.contents ?? new Uint8Array();
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
  const esbuild = createRequire(import.meta.url)('esbuild/package.json').version;
  return hashOf([esbuild, await Promise.all(contents)]);
}

async function typescriptFiles(directory: string): Promise<string[]> {
  const names = await fs.readdir(join(ROOT, directory), { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => join(directory, name));
}
