import { mkdir, readdir } from 'node:fs/promises';
import { MindiError } from '../../contract/error.ts';

/**
 * Makes the directory a snapshot is restored to. Programs replace what is there: so unasked only an empty one is taken.
 * @throws MindiError `extract.exists`
 */
export async function emptyDirectory(path: string, overwrite: boolean): Promise<void> {
  await mkdir(path, { recursive: true });
  if (overwrite || (await readdir(path)).length === 0) return;
  throw new MindiError('there is something in the directory, and what is restored would replace it', {
    code: 'extract.exists',
    where: path,
    hint: 'Name an empty one by --to, or say --overwrite.',
  });
}
