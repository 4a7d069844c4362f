import { createHash, randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import fs from 'fs-extra';
import { MindiError } from '../contract/error.ts';
import { removeOnExit } from './scratch.ts';

/** mindi's cache: $MINDI_CACHE, else $XDG_CACHE_HOME/mindi, else ~/.cache/mindi. Deleting it costs time and nothing else. */
export function cacheDirectory(...parts: string[]): string {
  const base = process.env.MINDI_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'mindi');
  return join(base, ...parts);
}

const UNWRITABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOTDIR']);

/** What to say when the system refuses something in the cache; undefined for any other error. */
export function cacheProblem(error: unknown): MindiError | undefined {
  const { code, path, message } = error as NodeJS.ErrnoException;
  if (!UNWRITABLE.has(code ?? '') || !path?.startsWith(cacheDirectory())) return undefined;
  return new MindiError(`mindi cannot use its cache: ${message}`, {
    code: 'cache.unwritable',
    where: cacheDirectory(),
    hint: 'Make it yours to write, make room there, or name another place in MINDI_CACHE.',
    cause: error,
  });
}

/**
 * The file cached under `kind` and `key`, made by `make(path)` when it is not there. `make` writes beside the final
 * place and the file is renamed, so that a crash or two builds at once never leave half a file.
 */
export async function cached(kind: string, key: string, make: (path: string) => Promise<void>): Promise<string> {
  const path = cacheDirectory(kind, key);
  if (await fs.pathExists(path)) return path;
  await writeBeside(path, make);
  return path;
}

/**
 * Calls `make` with a temporary path in the same directory as `path`, then renames it there, or has `place` do it. A
 * failure leaves `path` as it was.
 */
export async function writeBeside(
  path: string,
  make: (temporary: string) => Promise<void>,
  place: (temporary: string, path: string) => Promise<void> = fs.rename,
): Promise<void> {
  await fs.ensureDir(dirname(path));
  const temporary = `${path}.${randomBytes(4).toString('hex')}.part`;
  const finished = removeOnExit(temporary);
  try {
    await make(temporary);
    await place(temporary, path);
  } catch (error) {
    await fs.remove(temporary);
    throw error;
  } finally {
    finished();
  }
}

/** Hex SHA-256 over the JSON of anything: cache keys. */
export function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

const CHUNK = 1 << 20;

/** Hex SHA-256 of a file and its size in bytes, read piece by piece. */
export async function hashFile(path: string): Promise<{ sha256: string; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  for (const piece of piecesOf(path)) {
    await setImmediate();
    hash.update(piece);
    size += piece.length;
  }
  return { sha256: hash.digest('hex'), size };
}

/** Buffers that no reading uses at the moment. */
const spare: Buffer[] = [];

/**
 * A file's bytes in pieces of 1 MiB, the last one shorter. Each is only there until the next: its buffer is used again.
 * Synchronous, because most files are in the page cache: by way of the thread pool they take twice as long.
 */
export function* piecesOf(path: string): Generator<Buffer> {
  const file = openSync(path, 'r');
  const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK);
  try {
    for (let length = CHUNK; length === CHUNK; ) {
      length = readSync(file, buffer);
      if (length > 0) yield buffer.subarray(0, length);
    }
  } finally {
    spare.push(buffer);
    closeSync(file);
  }
}
