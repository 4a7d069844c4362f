import { basename, dirname, join, resolve } from 'node:path';
import fs from 'fs-extra';
import { MindiError } from '../../contract/error.ts';
import { cacheDirectory, cached, hashFile, writeBeside } from '../cache.ts';
import { log } from '../log.ts';
import type { ProfileFile } from '../profile/schema.ts';
import { fetchKernelPackages, isPackageName } from './apt.ts';
import { FAILSAFE } from './failsafe.ts';
import { duffWarning, type FindOptions, findKernel, modulesDirectory, noKernel } from './find.ts';
import { type KernelHeader, readKernelHeader } from './header.ts';
import { isPackageFile, readUnpacked, type UnpackedKernel, unpackKernel } from './unpack.ts';

export type KernelSource = NonNullable<ProfileFile['kernel']>;

/** A kernel image and the modules that belong to it, ready to be read. */
export interface KernelTree {
  /** `uname -r` of it. */
  release: string;
  /** The image header's whole build string. */
  banner: string;
  /** Absolute path of the bootable image. */
  image: string;
  /** Hex. */
  imageSha256: string;
  /** Bytes. */
  imageSize: number;
  /** Absolute path of …/lib/modules/RELEASE. */
  modulesDir: string;
  /** Whether modules.dep is there. */
  hasDep: boolean;
  /** As a person would name it: `/boot/vmlinuz-6.1.0-50-amd64` or `linux-image-6.1.0-50-amd64 6.1.176-1`. */
  origin: string;
  /** Absolute path of its build configuration, when it came with it. */
  configFile?: string;
}

export interface ResolveOptions extends FindOptions {
  /** The profile's place that asked, `file:line:column`, for errors. */
  where?: string;
  /** What relative paths start from; the working directory if not given. */
  base?: string;
  /** Ask apt for the newest package, though one is cached. */
  refresh?: boolean;
  /** Hears warnings and what takes long; they go to the log as well. */
  say?: (text: string) => void;
}

/**
 * Finds or fetches the kernel a profile names. What comes from packages is unpacked once and cached by content; which
 * content a package name stands for is recorded too, so that every later build has the same kernel and needs no network.
 * @throws MindiError `kernel.*`, with the profile's place
 */
export async function resolveKernel(source: KernelSource, options: ResolveOptions = {}): Promise<KernelTree> {
  try {
    return await resolveSource(source, options);
  } catch (error) {
    throw error instanceof MindiError ? placed(error, options.where) : error;
  }
}

async function resolveSource(source: KernelSource, options: ResolveOptions): Promise<KernelTree> {
  if (source === 'running') return running(options);
  if (source === 'failsafe') return fromName(FAILSAFE.package, options, FAILSAFE.source);
  if (source === 'auto') return auto(options);
  if ('image' in source) return fromFiles(source.image, source.modules, options);
  return fromPackages([source.package].flat(), options);
}

async function auto(options: ResolveOptions): Promise<KernelTree> {
  try {
    return await running(options);
  } catch (error) {
    if (!(error instanceof MindiError)) throw error;
    say(options, `${error.message.split('\n', 1)[0]}: taking the failsafe kernel`);
    return fromName(FAILSAFE.package, options, FAILSAFE.source);
  }
}

async function running(options: ResolveOptions): Promise<KernelTree> {
  const search = findKernel(options);
  const { found } = search;
  if (!found) throw noKernel(search);
  const modulesDir = modulesDirectory(search.running.release, options.root);
  if (!modulesDir) throw noRunningModules(search.running.release);
  if (found.duff) say(options, duffWarning(found, search.running));
  return tree(found.header, { image: found.path, modulesDir, origin: found.path });
}

async function fromFiles(image: string, modules: string, options: ResolveOptions): Promise<KernelTree> {
  const path = resolve(options.base ?? '.', image);
  const modulesDir = resolve(options.base ?? '.', modules);
  const problems: MindiError[] = [];
  let header: KernelHeader | undefined;
  try {
    header = readKernelHeader(path);
  } catch (error) {
    if (!(error instanceof MindiError)) throw error;
    problems.push(placed(error, options.where));
  }
  const wrong = await modulesProblem(modulesDir, header);
  if (wrong) problems.push(placed(wrong, options.where));
  if (problems.length > 0 || !header) throw MindiError.all(problems, 'the kernel cannot be used:', 'kernel.unusable');
  return tree(header, { image: path, modulesDir, origin: path });
}

async function modulesProblem(directory: string, header: KernelHeader | undefined): Promise<MindiError | undefined> {
  const stat = await fs.stat(directory).catch(() => undefined);
  if (!stat?.isDirectory()) {
    return new MindiError(stat ? 'is not a directory' : 'there is no such modules directory', {
      code: 'kernel.modules-missing',
      where: directory,
      hint: 'Name the directory …/lib/modules/VERSION of this kernel.',
    });
  }
  if (!header || basename(directory) === header.release) return undefined;
  const inside = await fs.pathExists(join(directory, header.release));
  return new MindiError(`these are not the modules of the image, which is Linux ${header.release}`, {
    code: 'kernel.release-mismatch',
    where: directory,
    hint: inside
      ? `Did you mean ${join(directory, header.release)}?`
      : `Modules of another version do not load. Name …/lib/modules/${header.release}.`,
  });
}

async function fromPackages(names: readonly string[], options: ResolveOptions): Promise<KernelTree> {
  const [only] = names;
  if (names.length === 1 && only !== undefined && !isPackageFile(only)) return fromName(only, options);
  return fromUnpacked(await unpackKernel(names.map((name) => resolve(options.base ?? '.', name))));
}

/** What a package name stood for when it was fetched. */
interface NameRecord {
  package: string;
  /** Directory name in the cache of kernels. */
  tree: string;
  origin: string;
}

async function fromName(name: string, options: ResolveOptions, source?: string): Promise<KernelTree> {
  if (!isPackageName(name)) throw badName(name);
  const known = options.refresh ? undefined : await cachedKernel(name);
  if (known) return fromUnpacked(known);
  say(options, `fetching the kernel package ${name}`);
  const unpacked = await fetchAndUnpack(name, source);
  const entry: NameRecord = { package: name, tree: basename(unpacked.tree), origin: unpacked.kernel.origin };
  await writeBeside(recordOf(name), (temporary) => fs.writeJson(temporary, entry));
  return fromUnpacked(unpacked.kernel);
}

const recordOf = (name: string) => cacheDirectory('kernels', `${name}.json`);

/** The kernel a Debian package name stands for on this machine, when it was fetched before. */
export async function cachedKernel(name: string): Promise<UnpackedKernel | undefined> {
  const record: NameRecord | undefined = await fs.readJson(recordOf(name)).catch(() => undefined);
  return record ? readUnpacked(resolve(cacheDirectory('kernels', record.tree))) : undefined;
}

async function fetchAndUnpack(name: string, source?: string): Promise<{ tree: string; kernel: UnpackedKernel }> {
  const downloads = cacheDirectory('downloads');
  await fs.ensureDir(downloads);
  const directory = resolve(await fs.mkdtemp(join(downloads, 'kernel-')));
  try {
    const kernel = await unpackKernel(await fetchKernelPackages(name, directory, source));
    return { kernel, tree: resolve(kernel.modulesDir, '../../../..') };
  } finally {
    await fs.remove(directory);
  }
}

const fromUnpacked = ({ image, modulesDir, origin }: UnpackedKernel) =>
  tree(readKernelHeader(image), { image, modulesDir, origin });

async function tree(
  header: KernelHeader,
  files: Pick<KernelTree, 'image' | 'modulesDir' | 'origin'>,
): Promise<KernelTree> {
  if (header.arch !== 'x86_64') throw wrongArch(files.image, header);
  const image = await bootable(files.image, header);
  const { sha256, size } = await hashFile(image);
  const configFile = await configOf(files.image, files.modulesDir);
  return {
    release: header.release,
    banner: header.banner,
    image,
    imageSha256: sha256,
    imageSize: size,
    modulesDir: files.modulesDir,
    hasDep: await fs.pathExists(join(files.modulesDir, 'modules.dep')),
    origin: files.origin,
    ...(configFile ? { configFile } : {}),
  };
}

/** Boot loaders of ours want the kernel itself: out of a unified kernel image it is copied into the cache. */
async function bootable(path: string, header: KernelHeader): Promise<string> {
  const linux = header.uki?.linux;
  if (!linux || linux.length === 0) return path;
  const { sha256 } = await hashFile(path);
  const { offset, length } = linux;
  const copy = await cached('uki', sha256, (temporary) =>
    fs.promises.writeFile(temporary, fs.createReadStream(path, { start: offset, end: offset + length - 1 })),
  );
  return resolve(copy);
}

/** Path of a kernel's build configuration: beside its modules, beside its image, or in /boot of the same tree. */
export async function configOf(image: string, modulesDir: string): Promise<string | undefined> {
  const name = `config-${basename(modulesDir)}`;
  const boot = join(modulesDir.replace(/\/(usr\/)?lib\/modules\/[^/]+$/, ''), 'boot');
  for (const place of [join(modulesDir, 'config'), join(dirname(image), name), join(boot, name)]) {
    if (await fs.pathExists(place)) return place;
  }
  return undefined;
}

function say(options: ResolveOptions, text: string): void {
  log(text);
  options.say?.(text);
}

/** The same problem, told from the profile's place; the file it was found in moves into the message. */
function placed(error: MindiError, where: string | undefined): MindiError {
  if (where === undefined || error.where === where || error.problems.length > 0) return error;
  const { code, hint, exitCode, cause } = error;
  const message = error.where === undefined ? error.message : `${error.where}: ${error.message}`;
  return new MindiError(message, { code, exitCode, cause, where, ...(hint === undefined ? {} : { hint }) });
}

function noRunningModules(release: string): MindiError {
  return new MindiError(`no modules of the running kernel ${release} on this machine`, {
    code: 'kernel.modules-missing',
    hint: 'Install the kernel package again, or use `kernel: failsafe`.',
  });
}

function wrongArch(image: string, { release, arch }: KernelHeader): MindiError {
  return new MindiError(`Linux ${release} is built for ${arch}; mindi's media are for x86_64`, {
    code: 'kernel.wrong-arch',
    where: image,
    hint: 'Name a 64-bit x86 kernel, or use `kernel: failsafe`.',
  });
}

function badName(name: string): MindiError {
  return new MindiError(`“${name}” is neither the name of a Debian package nor a package file`, {
    code: 'kernel.package-unknown',
    hint: 'Name a Debian package such as linux-image-amd64, or a .deb, .rpm, .pkg.tar.zst or .apk file.',
  });
}
