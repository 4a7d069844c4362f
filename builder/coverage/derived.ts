import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import fs from 'fs-extra';
import { MindiError, messageOf } from '../../contract/error.ts';
import { cacheDirectory, hashOf, writeBeside } from '../cache.ts';
import type { Hardware } from './schema.ts';

/** A configuration of Debian, comments and all, has 300 KB. */
const LARGEST = 4 << 20;

/**
 * Modules.* files as a kernel of this build configuration would have them, for the drivers of `hardware` alone: what is
 * =m is a module in its usual place, what is =y is built in, and each answers its row's device.
 * @returns their directory, in mindi's cache
 * @throws MindiError `coverage.config`
 */
export async function writeDerived(file: string, hardware: readonly Hardware[]): Promise<string> {
  const files = derivedMetadata(parseConfig(await readConfig(file)), hardware);
  const directory = resolve(cacheDirectory('coverage', `derived-${hashOf(files)}`));
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, name);
    if (!(await fs.pathExists(path))) await writeBeside(path, (temporary) => fs.writeFile(temporary, text));
  }
  return directory;
}

/** Values of a configuration by option, without CONFIG_. */
export function parseConfig(text: string): Map<string, string> {
  return new Map([...text.matchAll(/^CONFIG_(\w+)=(.*)$/gm)].map(([, option = '', value = '']) => [option, value]));
}

export function derivedMetadata(
  options: ReadonlyMap<string, string>,
  hardware: readonly Hardware[],
): Record<'modules.dep' | 'modules.alias' | 'modules.builtin' | 'modules.builtin.modinfo', string> {
  const rows = hardware.flatMap((row) => {
    const value = row.option === undefined ? undefined : options.get(row.option);
    return value === 'm' || value === 'y'
      ? [{ ...row, value, file: `kernel/${row.path ?? 'drivers/'}${row.module}.ko` }]
      : [];
  });
  const modules = rows.filter(({ value }) => value === 'm');
  const builtin = rows.filter(({ value }) => value === 'y');
  const answering = (list: typeof rows) => list.filter(({ device }) => device !== undefined);
  return {
    'modules.dep': modules.map(({ file }) => `${file}:\n`).join(''),
    'modules.alias': answering(modules)
      .map(({ device, module }) => `alias ${device} ${module}\n`)
      .join(''),
    'modules.builtin': builtin.map(({ file }) => `${file}\n`).join(''),
    'modules.builtin.modinfo': answering(builtin)
      .map(({ device, module }) => `${module}.alias=${device}\0`)
      .join(''),
  };
}

/** What the file's header says the kernel is: `# Linux/x86_64 5.14.0 Kernel Configuration`, or its `# release:` line. */
export async function configRelease(file: string): Promise<string> {
  const text = await readConfig(file);
  return /^# release: *(\S+)/m.exec(text)?.[1] ?? /^# Linux\/\S+ (\S+) Kernel Configuration/m.exec(text)?.[1] ?? '?';
}

async function readConfig(file: string): Promise<string> {
  const bad = (message: string, cause?: unknown) =>
    new MindiError(message, {
      code: 'coverage.config',
      where: file,
      hint: 'Name a kernel’s build configuration: /boot/config-VERSION.',
      cause,
    });
  const bytes = await readFile(file).catch((error) => {
    throw bad(`cannot read this kernel configuration: ${messageOf(error)}`, error);
  });
  const text = bytes.length > LARGEST ? '' : bytes.toString('utf8');
  if (!/^CONFIG_\w+=/m.test(text)) throw bad('this is no kernel configuration: no line says CONFIG_…=');
  return text;
}
