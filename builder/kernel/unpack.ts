import { basename, join, resolve } from 'node:path';
import fs from 'fs-extra';
import { MindiError, messageOf } from '../../contract/error.ts';
import { cacheDirectory, hashFile, hashOf } from '../cache.ts';
import { run } from '../run.ts';
import { readKernelHeader } from './header.ts';

/** An unpacked kernel in the cache. It is whole: image, modules, and what depmod makes of them. */
export interface UnpackedKernel {
  release: string;
  image: string;
  modulesDir: string;
  /** The package the image came in: `name version`, or the file's name. */
  origin: string;
}

/** The record in each cached tree, paths relative to it. Written before the tree gets its name, so it says: whole. */
const RECORD = 'mindi-kernel.json';
/** Cached trees of another layout are not used. */
const LAYOUT = 1;
const PACKAGE_FILE = /\.(deb|rpm|apk|pkg\.tar(\.\w+)?)$/;

export const isPackageFile = (text: string): boolean => PACKAGE_FILE.test(text) || text.includes('/');

/**
 * Unpacks the packages that together hold one kernel and its modules, or finds them unpacked already: the cache goes by
 * the content of the files. .deb, .rpm, .apk and Arch packages, all read by libarchive's bsdtar.
 * @throws MindiError `kernel.package-missing`, `kernel.package-damaged`, `kernel.package-empty`, `kernel.no-modules`
 */
export async function unpackKernel(files: readonly string[]): Promise<UnpackedKernel> {
  const key = await contentKey(files);
  const tree = resolve(cacheDirectory('kernels', key));
  const cached = await readUnpacked(tree);
  if (cached) return cached;
  await fs.ensureDir(cacheDirectory('kernels'));
  const temporary = await fs.mkdtemp(`${tree}.part-`);
  try {
    await unpackInto(temporary, files);
    await moveIntoPlace(temporary, tree);
  } finally {
    await fs.remove(temporary);
  }
  const made = await readUnpacked(tree);
  if (!made) throw new Error(`the unpacked kernel in ${tree} vanished`);
  return made;
}

/** The cached tree of a key, or undefined when it is not there or not whole. */
export async function readUnpacked(tree: string): Promise<UnpackedKernel | undefined> {
  try {
    const record = await fs.readJson(join(tree, RECORD));
    if (record.layout !== LAYOUT) return undefined;
    const [image, modulesDir] = [join(tree, record.image), join(tree, record.modules)];
    const whole = (await fs.pathExists(image)) && (await fs.pathExists(join(modulesDir, 'modules.dep')));
    return whole ? { release: record.release, image, modulesDir, origin: record.origin } : undefined;
  } catch {
    return undefined;
  }
}

/** Hex hash over the files' contents, whatever their names and order. @throws MindiError `kernel.package-missing` */
export async function contentKey(files: readonly string[]): Promise<string> {
  const hashes: string[] = [];
  for (const file of files) {
    try {
      hashes.push((await hashFile(file)).sha256);
    } catch (error) {
      throw new MindiError(`cannot read the kernel package: ${messageOf(error)}`, {
        code: 'kernel.package-missing',
        where: file,
        hint: 'Name an existing .deb, .rpm, .pkg.tar.zst or .apk file, or a Debian package.',
        cause: error,
      });
    }
  }
  return hashOf(hashes.sort());
}

/** Two builds may unpack the same kernel at once: the first to finish wins, the other takes it. */
async function moveIntoPlace(temporary: string, tree: string): Promise<void> {
  try {
    await fs.rename(temporary, tree);
  } catch {
    if (await readUnpacked(tree)) return;
    // What is there is of another layout or was damaged.
    await fs.remove(tree);
    await fs.rename(temporary, tree);
  }
}

/**
 * Unpacks the packages of one kernel into an existing directory and runs depmod there.
 * @throws MindiError as unpackKernel does
 */
export async function unpackInto(tree: string, files: readonly string[]): Promise<UnpackedKernel> {
  const modules = join(tree, 'usr', 'lib', 'modules');
  await fs.ensureDir(modules);
  let found: { path: string; release: string } | undefined;
  let origin = '';
  for (const file of files) {
    await extract(file, join(tree, 'raw'));
    await takeParts(join(tree, 'raw'), tree);
    if (found) continue;
    found = await findImage(tree);
    origin = originOf(file);
  }
  if (!found) throw noImage(files);
  const own = join(modules, found.release);
  if (!(await hasModules(own))) throw noModules(files, found.release, await fs.readdir(modules));
  await fs.symlink('usr/lib', join(tree, 'lib'));
  await run('depmod', ['-b', tree, found.release]);
  const record = {
    layout: LAYOUT,
    release: found.release,
    image: found.path,
    modules: `usr/lib/modules/${found.release}`,
    origin,
  };
  await fs.writeJson(join(tree, RECORD), record);
  return { release: found.release, image: join(tree, found.path), modulesDir: own, origin };
}

/** Documentation, headers and debug symbols: not needed, and big. */
const NOT_NEEDED = ['usr/share', 'usr/src', 'usr/lib/debug'].flatMap((path) => ['--exclude', path]);

/** Unpacks one package into `raw`. Ownership does not matter here and needs root. */
async function extract(file: string, raw: string): Promise<void> {
  await fs.ensureDir(raw);
  const archive = file.endsWith('.deb') ? await debData(file, raw) : file;
  await bsdtar(file, ['-xf', archive, '-C', raw, '--no-same-owner', '--no-same-permissions', ...NOT_NEEDED]);
}

/** A .deb is an ar archive that holds the files as data.tar.xz, .zst or .gz. */
async function debData(file: string, raw: string): Promise<string> {
  const data = join(raw, 'data.tar');
  await bsdtar(file, ['-xOf', file, 'data.tar*'], data);
  return data;
}

async function bsdtar(file: string, args: string[], stdoutFile?: string): Promise<void> {
  try {
    await run('bsdtar', args, stdoutFile ? { stdoutFile } : {});
  } catch (error) {
    if (!(error instanceof MindiError) || error.code !== 'tool.failed') throw error;
    throw new MindiError(`the kernel package cannot be unpacked: ${error.message}`, {
      code: 'kernel.package-damaged',
      where: file,
      hint: 'Download it again; mindi reads .deb, .rpm, .pkg.tar.zst and (version 2) .apk files.',
      cause: error,
    });
  }
}

/** Moves /boot and both places of modules to where the cached tree has them, and drops the rest. */
async function takeParts(raw: string, tree: string): Promise<void> {
  for (const from of ['lib/modules', 'usr/lib/modules'])
    await merge(join(raw, from), join(tree, 'usr', 'lib', 'modules'));
  await merge(join(raw, 'boot'), join(tree, 'boot'));
  await fs.remove(raw);
}

/** Kernels split over packages meet here: directories are joined, files of a later package win. */
async function merge(from: string, to: string): Promise<void> {
  const entries = await fs.readdir(from, { withFileTypes: true }).catch(() => []);
  await fs.ensureDir(to);
  for (const entry of entries) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory() && (await fs.pathExists(target))) await merge(source, target);
    else await fs.move(source, target, { overwrite: true });
  }
}

async function findImage(tree: string): Promise<{ path: string; release: string } | undefined> {
  const releases = await fs.readdir(join(tree, 'usr', 'lib', 'modules'));
  const boot = (await fs.readdir(join(tree, 'boot'))).sort();
  const candidates = [
    ...releases.sort().map((name) => `usr/lib/modules/${name}/vmlinuz`),
    ...boot.map((name) => `boot/${name}`),
  ];
  for (const path of candidates) {
    const release = releaseOf(join(tree, path));
    if (release) return { path, release };
  }
  return undefined;
}

function releaseOf(path: string): string | undefined {
  try {
    return readKernelHeader(path).release;
  } catch (error) {
    if (error instanceof MindiError && error.code !== 'kernel.truncated') return undefined;
    throw error;
  }
}

async function hasModules(directory: string): Promise<boolean> {
  const entries: string[] = await fs.readdir(directory).catch(() => []);
  return entries.includes('kernel') || entries.includes('updates');
}

/** `linux-image-6.1.0-56-amd64_6.1.192-2_amd64.deb` is known to people as `linux-image-6.1.0-56-amd64 6.1.192-2`. */
function originOf(file: string): string {
  const deb = /^([^_]+)_([^_]+)_[^_]+\.deb$/.exec(basename(file));
  return deb ? `${deb[1]} ${deb[2]?.replace('%3a', ':')}` : basename(file);
}

function noImage(files: readonly string[]): MindiError {
  return new MindiError('the package holds no kernel image', {
    code: 'kernel.package-empty',
    where: files.map((file) => basename(file)).join(', '),
    hint: 'Name the package with vmlinuz in it: linux-image-*, kernel-core, kernel-default, linux, linux-lts.',
  });
}

function noModules(files: readonly string[], release: string, others: readonly string[]): MindiError {
  const has = others.filter((name) => name !== release);
  return new MindiError(
    `the package holds kernel ${release}, but no modules for it${has.length > 0 ? ` (only for ${has.join(', ')})` : ''}`,
    {
      code: 'kernel.no-modules',
      where: files.map((file) => basename(file)).join(', '),
      hint: 'Where a distribution splits its kernel, name all parts: `package: [kernel-core.rpm, kernel-modules-core.rpm, kernel-modules.rpm]`.',
    },
  );
}
