import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fs from 'fs-extra';
import { MindiError, messageOf } from '../contract/error.ts';
import { cached, hashOf } from './cache.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Everything of ours the bundle could be made from. */
const SOURCES = ['initramfs', 'contract', 'packages/node-kmod-deps/src'];

/**
 * The TypeScript init as one CommonJS program that node and bun run. Node starts it faster than ES modules, and what is
 * imported dynamically lies in it but is run only then. The same sources give the same bytes; it is made again only when
 * one of them has changed.
 * @throws MindiError `init.bundle` when the sources do not fit together
 */
export async function bundleInit(): Promise<string> {
  const path = await cached('init', `${await sourcesHash()}.cjs`, async (temporary) => {
    await fs.writeFile(temporary, await bundle());
  });
  return readFile(path, 'utf8');
}

async function bundle(): Promise<string> {
  const { build } = await import('esbuild');
  try {
    const { outputFiles } = await build({
      absWorkingDir: ROOT,
      entryPoints: ['initramfs/main.ts'],
      bundle: true,
      write: false,
      platform: 'node',
      format: 'cjs',
      target: 'es2022',
      // Of Node's own modules too: require() spares the whole loader of ES modules.
      supported: { 'dynamic-import': false },
      conditions: ['source'],
      // Names stay, for whoever reads the log of a crash.
      minifySyntax: true,
      minifyWhitespace: true,
      legalComments: 'none',
      logLevel: 'silent',
    });
    return outputFiles[0]?.text ?? '';
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
