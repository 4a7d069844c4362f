import { readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { MindiError } from '../../contract/error.ts';
import { modulesDirectory } from './find.ts';
import { readKernelHeader } from './header.ts';
import { type KernelSource, resolveKernel } from './source.ts';

/** The modules of one kernel. */
export interface KernelModules {
  /** `uname -r` of it; for a directory its name. */
  release: string;
  /** Absolute. */
  modulesDir: string;
}

const WORDS = ['auto', 'running', 'failsafe'] as const;

/**
 * The modules of the kernel a person names on the command line: auto, running or failsafe as in a profile, a modules
 * directory, a kernel image whose modules are installed, a package's name or file.
 * @param say hears what takes long
 * @throws MindiError `kernel.*`
 */
export async function kernelModules(text: string, say?: (text: string) => void): Promise<KernelModules> {
  const word = WORDS.find((each) => each === text);
  const stats = word ? undefined : statSync(text, { throwIfNoEntry: false });
  if (stats?.isDirectory()) return ofDirectory(resolve(text));
  const image = stats?.isFile() ? modulesOfImage(text) : undefined;
  if (image) return image;
  const source: KernelSource = word ?? { package: text };
  const { release, modulesDir } = await resolveKernel(source, say ? { say } : {});
  return { release, modulesDir };
}

/**
 * A modules directory, …/lib/modules/VERSION, as it was named.
 * @throws MindiError `kernel.tree-empty` for the directory above several of them
 */
export function ofDirectory(directory: string): KernelModules {
  const below = ['', 'lib/modules', 'usr/lib/modules'].flatMap((place) => releases(join(directory, place)));
  const [only] = below;
  if (!isModulesDirectory(directory) && only !== undefined) {
    throw new MindiError('this is not the modules of one kernel', {
      code: 'kernel.tree-empty',
      where: directory,
      hint: below.length === 1 ? `Did you mean ${only}?` : `Name one of ${below.join(', ')}.`,
    });
  }
  return { release: basename(directory), modulesDir: directory };
}

function releases(place: string): string[] {
  const names = statSync(place, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(place).sort() : [];
  return names.map((name) => join(place, name)).filter(isModulesDirectory);
}

function isModulesDirectory(directory: string): boolean {
  return ['modules.dep', 'modules.builtin', 'kernel'].some((name) =>
    statSync(join(directory, name), { throwIfNoEntry: false }),
  );
}

/** Undefined for a file that is no kernel image: then it is a package. */
function modulesOfImage(path: string): KernelModules | undefined {
  let release: string;
  try {
    release = readKernelHeader(path).release;
  } catch (error) {
    if (error instanceof MindiError) return undefined;
    throw error;
  }
  const modulesDir = modulesDirectory(release);
  if (modulesDir) return { release, modulesDir };
  throw new MindiError(`no modules of Linux ${release} on this machine`, {
    code: 'kernel.modules-missing',
    where: path,
    hint: 'Name its modules directory, or the package it came in.',
  });
}
