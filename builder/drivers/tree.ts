import { join } from 'node:path';
import fs from 'fs-extra';
import { KmodError, type ModuleTree, openTree, writeMetadata } from 'node-kmod-deps';
import { MindiError } from '../../contract/error.ts';
import { cacheDirectory, hashOf } from '../cache.ts';

/**
 * Opens a kernel's modules directory. Where its modules.dep is missing, depmod's output for it is made once and kept in
 * mindi's cache; the directory itself is never written to.
 * @throws MindiError `kernel.*` when the directory or its metadata are missing or damaged
 */
export async function openKernelTree(modulesDir: string): Promise<ModuleTree> {
  return await kmodErrors(async () => {
    const [dep, alias] = ['modules.dep', 'modules.alias'].map((file) => fs.pathExists(join(modulesDir, file)));
    if (((await dep) && (await alias)) || !(await fs.pathExists(join(modulesDir, 'kernel')))) {
      return await openTree(modulesDir);
    }
    const metadata = cacheDirectory('depmod', await stampOf(modulesDir));
    if (!(await fs.pathExists(join(metadata, 'modules.dep')))) {
      const temporary = `${metadata}.${process.pid}.part`;
      await writeMetadata(modulesDir, temporary);
      await fs.move(temporary, metadata, { overwrite: true });
    }
    return await openTree(modulesDir, { metadata });
  });
}

/** Runs something that reads modules or their metadata; its KmodErrors become MindiErrors, which people see. */
export async function kmodErrors<T>(read: () => Promise<T> | T): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof KmodError)) throw error;
    const { message, hint, where } = error;
    throw new MindiError(message, { code: `kernel.${error.code.replace('.', '-')}`, hint, where, cause: error });
  }
}

/** Changes whenever a file of the directory does. */
async function stampOf(directory: string): Promise<string> {
  const entries = await fs.readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const stamps = files.sort().map((file) => {
    const { size, mtimeMs } = fs.statSync(file);
    return [file, size, mtimeMs];
  });
  return hashOf([directory, stamps]);
}
