import { statSync } from 'node:fs';
import { stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import fs from 'fs-extra';
import { cacheDirectory, hashFile, writeBeside } from '../cache.ts';

const KIND = 'segments';
const UNUSED_DAYS = 14;

/** A finished file in the cache. */
export interface Stored {
  path: string;
  size: number;
  /** Hex SHA-256 of the whole file. */
  sha256: string;
}

/** Makes the file for `key` and keeps its size and hash beside it. */
export async function store(key: string, make: (path: string) => Promise<void>): Promise<Stored> {
  const path = cacheDirectory(KIND, key);
  let facts = { sha256: '', size: 0 };
  await writeBeside(path, async (temporary) => {
    await make(temporary);
    facts = await hashFile(temporary);
    await used(temporary);
  });
  await writeBeside(`${path}.json`, (temporary) => fs.writeJson(temporary, facts));
  return { path, ...facts };
}

/** What was stored for `key`, unless it is gone or not whole. */
export async function findStored(key: string): Promise<Stored | undefined> {
  const path = cacheDirectory(KIND, key);
  try {
    const [{ size }, facts] = await Promise.all([stat(path), fs.readJson(`${path}.json`)]);
    if (size !== facts.size || typeof facts.sha256 !== 'string') return undefined;
    await used(path);
    return { path, size, sha256: facts.sha256 };
  } catch {
    return undefined;
  }
}

/** By this machine's clock: that of the file system may be another's. */
async function used(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now);
}

/** What no build has used for two weeks leaves the cache. */
export async function forgetUnused(): Promise<void> {
  const directory = cacheDirectory(KIND);
  const oldest = Date.now() - UNUSED_DAYS * 86_400_000;
  for (const name of await fs.readdir(directory)) {
    const path = join(directory, name);
    const kept = name.endsWith('.json') ? path.slice(0, -'.json'.length) : path;
    const facts = statSync(kept, { throwIfNoEntry: false });
    if (!facts || facts.mtimeMs < oldest) await fs.remove(path);
  }
}
