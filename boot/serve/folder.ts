import { type Dirent, existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MindiError } from '../../contract/error.ts';
import { SUMS } from '../../contract/sums.ts';
import { FIRST_FILES, readSums } from '../netboot.ts';

/**
 * Sees to it that a folder is one of ours, whole, and leads nowhere else. Returns the paths of its files.
 * @throws MindiError `serve.no-folder`, `serve.link`, `serve.incomplete`
 */
export async function checkFolder(folder: string): Promise<Set<string>> {
  const entries = await listing(folder);
  const sums = await readSums(folder);
  if (!sums?.has(FIRST_FILES.ipxe)) throw noFolder(folder, 'this is no netboot folder of mindi');
  const link = entries.find((entry) => !entry.isFile() && !entry.isDirectory());
  if (link) {
    throw new MindiError('only files and folders are served, and this is neither', {
      code: 'serve.link',
      where: join(link.parentPath, link.name),
      hint: 'A link could lead out of the folder: put the file itself there.',
    });
  }
  const missing = [...sums.keys()].filter((name) => !existsSync(join(folder, name)));
  if (missing.length === 0) return new Set(sums.keys());
  throw new MindiError(`files are missing: ${missing.slice(0, 5).join(', ')}`, {
    code: 'serve.incomplete',
    where: folder,
    hint: `Copy the whole folder again; \`sha256sum -c ${SUMS.list}\` checks it.`,
  });
}

async function listing(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { recursive: true, withFileTypes: true });
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw noFolder(folder, absent ? 'there is no such folder' : `it cannot be read: ${(error as Error).message}`);
  }
}

function noFolder(where: string, message: string): MindiError {
  const hint = 'Name the folder that `mindi build` wrote for `media: [netboot]`: OUT/netboot.';
  return new MindiError(message, { code: 'serve.no-folder', where, hint });
}

const OTHERS_READ = 0o004;
const OTHERS_ENTER = 0o001;

/**
 * The TFTP server reads as a user without rights.
 * @throws MindiError `serve.private` naming the folder or file that user is kept from
 */
export async function checkReadable(folder: string): Promise<void> {
  for (const path of [...parents(folder), folder, join(folder, FIRST_FILES.bios)]) {
    const facts = await stat(path);
    if (facts.mode & (facts.isDirectory() ? OTHERS_ENTER : OTHERS_READ)) continue;
    throw new MindiError('the TFTP server, which runs without rights, may not look in here', {
      code: 'serve.private',
      where: path,
      hint: 'Copy the netboot folder to a place everyone may read, such as /srv/netboot.',
    });
  }
}

function parents(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [...parents(parent), parent];
}
