import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { busybox, complaint } from '../process.ts';
import { BugMeError } from './error.ts';
import type { Part } from './parts.ts';

/**
 * One tar.gz of them, in a directory of its name.
 * @throws BugMeError when there is no room for it
 */
export async function makeArchive(name: string, parts: readonly Part[]): Promise<Buffer> {
  const work = mkdtempSync('/tmp/bug-me-');
  const file = join(work, 'archive');
  try {
    const folder = join(work, name);
    mkdirSync(folder);
    for (const part of parts) writeFileSync(join(folder, part.name), part.text);
    const made = await busybox(['tar', '-czf', file, '-C', work, name]);
    if (made.code !== 0) throw new Error(complaint(made));
    return readFileSync(file);
  } catch (error) {
    throw new BugMeError(`The report cannot be made: ${(error as Error).message}.`, 'Free some memory: see df /tmp.');
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
