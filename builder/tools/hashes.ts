import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import fs from 'fs-extra';
import pLimit from 'p-limit';
import { MindiError, messageOf } from '../../contract/error.ts';
import { cacheDirectory, hashFile, writeBeside } from '../cache.ts';
import { SLIMMING, slimmed } from './slim.ts';

/** Of a file's bytes as they will be on the medium. */
export interface Hash {
  /** Hex SHA-256. */
  sha256: string;
  size: number;
}

/** As Content.from: `module` is decompressed, `runtime` slimmed. */
type Kind = 'file' | 'module' | 'runtime';

/** Before the path of what is remembered. */
const KEYS: Record<Kind, string> = { file: '', module: 'module:', runtime: `runtime ${SLIMMING}:` };

/** What was hashed before, by what stat(2) said of it then. */
type Known = Map<string, [stamp: string, sha256: string, size: number]>;

const FORMAT = 1;
/** What is remembered; the oldest is forgotten first. */
const MOST_KNOWN = 30_000;
/** A file written a moment ago can change again within one tick of its clock: it is hashed, but not remembered. */
const SETTLED_MS = 1000;

/**
 * SHA-256 of files of this machine, remembered between runs by device, inode, size, mtime and ctime, so that a plan
 * reads only what has changed. Call `save` when done.
 */
export class FileHashes {
  readonly #before: Known;
  readonly #now: Known = new Map();
  readonly #running = new Map<string, Promise<Hash>>();
  readonly #limit = pLimit(4);
  #changed = false;

  constructor() {
    this.#before = remembered();
  }

  /** @throws MindiError `hash.unreadable` with the path, also for a module that cannot be decompressed. */
  of(path: string, kind: Kind = 'file'): Promise<Hash> {
    const key = KEYS[kind] + path;
    const hash = this.#running.get(key) ?? this.#hash(path, kind, key);
    this.#running.set(key, hash);
    return hash;
  }

  async #hash(path: string, kind: Kind, key: string): Promise<Hash> {
    try {
      const { stamp, settled } = stampOf(path);
      const [before, sha256, size] = this.#before.get(key) ?? [];
      const known = before === stamp && sha256 !== undefined && size !== undefined;
      const hash = known ? { sha256, size } : await this.#limit(() => hashContent(path, kind));
      if (known || settled) this.#now.set(key, [stamp, hash.sha256, hash.size]);
      this.#changed ||= !known && settled;
      return hash;
    } catch (error) {
      const hint = (error as { hint?: string }).hint;
      throw new MindiError(hint ? messageOf(error) : `cannot read it: ${messageOf(error)}`, {
        code: 'hash.unreadable',
        where: path,
        hint: hint ?? 'Build as a user who may read it.',
        cause: error,
      });
    }
  }

  /** Remembers what was hashed. A cache that cannot be written costs time at the next run and nothing else. */
  async save(): Promise<void> {
    if (!this.#changed) return;
    const files = [...new Map([...this.#before, ...this.#now])].slice(-MOST_KNOWN);
    this.#changed = false;
    await writeBeside(cacheFile(), (path) => fs.writeJson(path, { format: FORMAT, files })).catch(() => {});
  }
}

const cacheFile = () => cacheDirectory('hashes.json');

function remembered(): Known {
  try {
    const { format, files } = JSON.parse(readFileSync(cacheFile(), 'utf8'));
    return new Map(format === FORMAT ? files : []);
  } catch {
    return new Map();
  }
}

function stampOf(path: string): { stamp: string; settled: boolean } {
  const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = statSync(path, { bigint: true });
  return {
    stamp: [dev, ino, size, mtimeNs, ctimeNs].join(' '),
    settled: Date.now() - Number(ctimeMs) > SETTLED_MS,
  };
}

async function hashContent(path: string, kind: Kind): Promise<Hash> {
  if (kind === 'file' || (kind === 'module' && path.endsWith('.ko'))) return hashFile(path);
  const bytes = kind === 'runtime' ? slimmed(path) : await (await import('node-kmod-deps')).readModule(path);
  return { sha256: createHash('sha256').update(bytes).digest('hex'), size: bytes.length };
}
