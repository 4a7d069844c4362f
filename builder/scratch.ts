import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fs from 'fs-extra';

/** What must not be left behind when the process ends in the middle of its work: Ctrl-C, or a bug. */
const unfinished = new Set<string>();
process.on('exit', () => {
  for (const path of unfinished) rmSync(path, { recursive: true, force: true });
});

/** Removes `path` when the process ends, unless the function returned is called before. */
export function removeOnExit(path: string): () => void {
  unfinished.add(path);
  return () => unfinished.delete(path);
}

export interface Scratch extends AsyncDisposable {
  path: string;
  /** Leaves the directory there. */
  keep: () => void;
}

/** A new directory for the work at hand, gone at the end of the block: `await using work = await scratch('iso')`. */
export async function scratch(name: string): Promise<Scratch> {
  const path = await mkdtemp(join(tmpdir(), `mindi-${name}-`));
  const forget = removeOnExit(path);
  let kept = false;
  return {
    path,
    keep: () => {
      kept = true;
      forget();
    },
    [Symbol.asyncDispose]: async () => {
      if (!kept) await fs.remove(path);
      forget();
    },
  };
}
