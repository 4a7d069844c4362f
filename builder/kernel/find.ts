import fs from 'node:fs';
import os from 'node:os';
import { basename, join } from 'node:path';
import { MindiError } from '../../contract/error.ts';
import { type KernelHeader, readKernelHeader } from './header.ts';

/** What runs: `uname -r` and `uname -v`. */
export interface RunningKernel {
  release: string;
  version: string;
}

export interface FindOptions {
  /** Where the filesystem to search starts; the tests have their own. */
  root?: string;
  running?: RunningKernel;
}

export interface FoundKernel {
  path: string;
  header: KernelHeader;
  /** The release fits, the build string does not: most likely recompiled or upgraded without a reboot since. */
  duff: boolean;
}

export interface KernelSearch {
  running: RunningKernel;
  found?: FoundKernel;
  /** Kernel images looked at and not taken, and why. */
  rejected: { path: string; reason: string }[];
}

/** Never kernels, and dear to look into. */
const NO_KERNEL = /^(initr(d|amfs)|System\.map|config|symvers|vmlinux|loader)|\.(img|cpio|sig|hmac|dpkg-\w+)$/i;
const EFI_ROOTS = ['boot/efi', 'efi', 'boot'];

export function runningKernel(): RunningKernel {
  return { release: os.release(), version: os.version() };
}

/**
 * Finds the image of the running kernel, as mindi's `--findkernel` always did: the release in the image's header must
 * be `uname -r`, and its build string must hold `uname -v`. A kernel with the right release and another build string
 * ("duff") is taken only when there is no better. The first in the order of `kernelCandidates` wins.
 */
export function findKernel(options: FindOptions = {}): KernelSearch {
  const running = options.running ?? runningKernel();
  const search: KernelSearch = { running, rejected: [] };
  for (const path of kernelCandidates(options.root ?? '/', running.release)) {
    const verdict = judge(path, running);
    if ('reason' in verdict) {
      search.rejected.push(verdict);
    } else if (!verdict.duff) {
      return { ...search, found: verdict };
    } else {
      search.found ??= verdict;
    }
  }
  return search;
}

/** What to say of a duff kernel. */
export function duffWarning(found: FoundKernel, running: RunningKernel): string {
  return (
    `${found.path} has the running kernel's release ${running.release}, but was built another time ` +
    `(it says "${buildOf(found.header)}", the running one "${running.version}"). Reboot after a kernel upgrade.`
  );
}

/** The error when the search found nothing; it names what came nearest. */
export function noKernel(search: KernelSearch): MindiError {
  const looked = search.rejected.map(({ path, reason }) => `\n  ${path} ${reason}`).join('');
  return new MindiError(`no image of the running kernel ${search.running.release} on this machine${looked}`, {
    code: 'kernel.not-found',
    hint: 'Use `kernel: failsafe`, or name one: `kernel: {image: …, modules: …}`.',
  });
}

const buildOf = (header: KernelHeader) => header.banner.replace(/^\S+ (\([^)]*\) )?/, '');

function judge(path: string, running: RunningKernel): FoundKernel | { path: string; reason: string } {
  let header: KernelHeader;
  try {
    header = readKernelHeader(path);
  } catch (error) {
    if (error instanceof MindiError) return { path, reason: error.message };
    throw error;
  }
  if (header.release !== running.release) return { path, reason: `is Linux ${header.release}` };
  return { path, header, duff: running.version === '' || !header.banner.includes(running.version.trim()) };
}

/**
 * Files that may be the image of kernel `release`, the likeliest first: those that carry its name, then everything of
 * /boot, then unified kernel images and the Boot Loader Specification's directories on the EFI partition. A file
 * reached by two names is listed once; symlinks that leave `root` are not followed.
 */
export function kernelCandidates(root: string, release: string): string[] {
  const named = [
    `boot/vmlinuz-${release}`,
    `usr/lib/modules/${release}/vmlinuz`,
    `lib/modules/${release}/vmlinuz`,
    `boot/kernel-${release}`,
    // NixOS and others keep kernels elsewhere, but say which one they booted.
    'run/booted-system/kernel',
  ];
  const others = [
    ...list(root, 'boot'),
    ...EFI_ROOTS.flatMap((top) => list(root, `${top}/EFI/Linux`).filter((path) => /\.efi$/i.test(path))),
    ...EFI_ROOTS.flatMap((top) => list(root, top).flatMap((entry) => list(root, `${entry}/${release}`))),
    ...list(root, '.').filter((path) => /lin|kernel/.test(basename(path))),
  ];
  return files(root, [...named, ...others]);
}

function list(root: string, directory: string): string[] {
  try {
    return fs
      .readdirSync(join(root, directory))
      .sort()
      .map((name) => join(directory, name));
  } catch {
    return [];
  }
}

/** Absolute paths of those that are regular files, each file once. */
function files(root: string, paths: readonly string[]): string[] {
  const seen = new Set<string>();
  const result: string[] = [];
  const top = fs.realpathSync(root);
  for (const path of paths) {
    if (NO_KERNEL.test(basename(path))) continue;
    const real = realFile(join(root, path));
    if (!real || seen.has(real) || !(top === '/' || real.startsWith(`${top}/`))) continue;
    seen.add(real);
    result.push(join(root, path));
  }
  return result;
}

function realFile(path: string): string | undefined {
  try {
    const real = fs.realpathSync(path);
    return fs.statSync(real).isFile() ? real : undefined;
  } catch {
    return undefined;
  }
}

/** The modules directory of a release below `root`, absolute, or undefined when there is none. */
export function modulesDirectory(release: string, root = '/'): string | undefined {
  return ['usr/lib/modules', 'lib/modules', 'run/booted-system/kernel-modules/lib/modules']
    .map((directory) => join(root, directory, release))
    .find((directory) => fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory());
}
