import { basename, dirname, join, resolve } from 'node:path';
import fs from 'fs-extra';
import pLimit from 'p-limit';
import { MindiError } from '../../contract/error.ts';
import { cacheDirectory, hashOf } from '../cache.ts';
import { fetchFromSource, fetchKernelPackages } from '../kernel/apt.ts';
import { ofDirectory } from '../kernel/argument.ts';
import { contentKey, isPackageFile, unpackInto } from '../kernel/unpack.ts';
import { run } from '../run.ts';
import { removeOnExit, scratch } from '../scratch.ts';
import { configRelease, writeDerived } from './derived.ts';
import type { Hardware, Kernel } from './schema.ts';
import { keepMetadata } from './slim.ts';

/** A kernel of the matrix whose metadata are on this machine. */
export interface KernelMetadata {
  /** `uname -r`, as far as its source tells. */
  release: string;
  /** Absolute path of a directory with its modules.* files. */
  modulesDir: string;
  /** As a person would name where it comes from. */
  origin: string;
}

export interface FetchOptions {
  /** Ask for the newest package, though one is cached. */
  refresh?: boolean;
  /** Hears what takes long. */
  say?: (text: string) => void;
}

/** Cached metadata of another layout are not used. */
const LAYOUT = 1;
const RECORD = 'kernel.json';
/** Two processors unpack while one more package comes over the line. */
const AT_ONCE = 2;

/**
 * The metadata of each kernel, in the order given, or why it cannot be had. Of packages only modules.* files and a record
 * of what the modules say of themselves stay in mindi's cache: a later run needs no network.
 */
export async function kernelMetadata(
  kernels: readonly Kernel[],
  hardware: readonly Hardware[],
  options: FetchOptions = {},
): Promise<(KernelMetadata | MindiError)[]> {
  // apt locks its lists: one download at a time.
  const download = pLimit(1);
  return await pLimit(AT_ONCE).map([...kernels], async (kernel) => {
    try {
      return await metadataOf(kernel, hardware, { ...options, download });
    } catch (error) {
      if (error instanceof MindiError) return error;
      throw error;
    }
  });
}

type Options = FetchOptions & { download: ReturnType<typeof pLimit> };

async function metadataOf(kernel: Kernel, hardware: readonly Hardware[], options: Options): Promise<KernelMetadata> {
  if (kernel.config !== undefined) {
    const modulesDir = await writeDerived(kernel.config, hardware);
    return { release: await configRelease(kernel.config), modulesDir, origin: basename(kernel.config) };
  }
  if (kernel.modules !== undefined) return await ofModules(kernel.modules);
  const names = [kernel.package ?? []].flat();
  if (names.some((name) => isPackageFile(name))) {
    return await stored(await contentKey(names), options, async (tree) => ({
      files: names,
      origin: names.map((name) => basename(name)).join(', '),
      tree,
    }));
  }
  const [name = ''] = names;
  const { suite, architecture = 'amd64' } = kernel;
  return await stored(hashOf([name, suite, architecture]), options, async (tree) => {
    options.say?.(`fetching ${name} of ${suite ?? 'this machine’s sources'}, ${architecture}`);
    const files = await options.download(() => fetch(name, { suite, architecture }, join(tree, 'download')));
    return { files, tree };
  });
}

const sourceOf = (suite: string) =>
  `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian ${suite} main\n`;

async function fetch(
  name: string,
  { suite, architecture }: { suite?: string; architecture: string },
  directory: string,
): Promise<string[]> {
  await fs.ensureDir(directory);
  if (suite === undefined) return await fetchKernelPackages(name, directory);
  return await fetchFromSource(name, directory, sourceOf(suite), architecture);
}

interface Fetched {
  files: string[];
  /** Where to unpack them. */
  tree: string;
  origin?: string;
}

/** From the cache; else `get` brings the packages, of which the metadata are kept. */
async function stored(
  key: string,
  { refresh, say }: FetchOptions,
  get: (scratch: string) => Promise<Fetched>,
): Promise<KernelMetadata> {
  const place = resolve(cacheDirectory('coverage', key));
  const known = refresh ? undefined : await readStored(place);
  if (known) return known;
  await using work = await scratch('coverage');
  const { files, tree, origin } = await get(work.path);
  say?.(`reading ${files.map((file) => basename(file)).join(', ')}`);
  const unpacked = join(tree, 'tree');
  await fs.ensureDir(unpacked);
  const kernel = await unpackInto(unpacked, files);
  const slim = join(work.path, 'slim');
  await keepMetadata(kernel.modulesDir, join(slim, kernel.release));
  await fs.writeJson(join(slim, RECORD), { layout: LAYOUT, release: kernel.release, origin: origin ?? kernel.origin });
  await replaceDirectory(slim, place);
  const made = await readStored(place);
  if (!made) throw new Error(`the kernel metadata in ${place} vanished`);
  return made;
}

async function readStored(place: string): Promise<KernelMetadata | undefined> {
  const record = await fs.readJson(join(place, RECORD)).catch(() => undefined);
  if (record?.layout !== LAYOUT) return undefined;
  const modulesDir = join(place, record.release);
  return (await fs.pathExists(join(modulesDir, 'modules.dep')))
    ? { release: record.release, origin: record.origin, modulesDir }
    : undefined;
}

/** The scratch may be on another disk: copied beside its place, then renamed. */
async function replaceDirectory(from: string, to: string): Promise<void> {
  const temporary = `${to}.${process.pid}.part`;
  const finished = removeOnExit(temporary);
  await fs.copy(from, temporary);
  await fs.move(temporary, to, { overwrite: true });
  finished();
}

/** A modules directory as it is, or an archive of one. */
async function ofModules(path: string): Promise<KernelMetadata> {
  const stats = await fs.stat(path).catch(() => undefined);
  if (!stats) {
    throw new MindiError('there is no such modules directory or archive', {
      code: 'coverage.no-modules',
      where: path,
      hint: 'Name a directory …/lib/modules/VERSION, or a .tar of its modules.* files.',
    });
  }
  if (stats.isDirectory()) return { ...ofDirectory(path), origin: path };
  const place = resolve(cacheDirectory('coverage', await contentKey([path])));
  if (!(await fs.pathExists(place))) await unpackArchive(path, place);
  const [directory, ...more] = await directoriesIn(place);
  if (directory === undefined || more.length > 0) {
    throw new MindiError(directory ? 'this archive holds several kernels' : 'this archive holds no modules.dep', {
      code: 'coverage.no-modules',
      where: path,
      hint: 'Pack one directory …/lib/modules/VERSION with its modules.* files.',
    });
  }
  const release = directory === place ? basename(path).replace(/\.tar.*$/, '') : basename(directory);
  return { release, modulesDir: directory, origin: basename(path) };
}

const PLAIN = ['--no-same-owner', '--no-same-permissions'];

async function unpackArchive(path: string, place: string): Promise<void> {
  await using work = await scratch('coverage');
  const tree = join(work.path, 'tree');
  await fs.ensureDir(tree);
  try {
    await run('bsdtar', ['-xf', path, '-C', tree, ...PLAIN, '--exclude', '*.ko', '--exclude', '*.ko.*']);
  } catch (error) {
    if (!(error instanceof MindiError) || error.code !== 'tool.failed') throw error;
    throw new MindiError('this is no archive of modules.* files', {
      code: 'coverage.no-modules',
      where: path,
      hint: 'Name a directory …/lib/modules/VERSION, or a .tar of its modules.* files.',
      cause: error,
    });
  }
  await replaceDirectory(tree, place);
}

async function directoriesIn(place: string): Promise<string[]> {
  const files = await fs.readdir(place, { recursive: true, encoding: 'utf8' });
  return files.filter((file) => basename(file) === 'modules.dep').map((file) => dirname(join(place, file)));
}
