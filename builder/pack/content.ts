import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { readModule } from 'node-kmod-deps';
import { MindiError, messageOf } from '../../contract/error.ts';
import type { Content, Contents, Entry, FileEntry } from '../../contract/manifest.ts';
import { slimmed } from '../tools/slim.ts';

/** Files up to this size are read whole and ahead of their turn; bigger ones are streamed when their turn comes. */
const WHOLE = 4 << 20;
/** How many bytes and files may wait, read ahead, for the archive writer. */
const AHEAD_BYTES = 64 << 20;
const AHEAD_FILES = 16;
const CHUNK = 1 << 20;

/** The bytes of one file as they come, hashed on the way. */
export type Bytes = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
/** An entry on its way into an archive: what of it is data, and how much. */
export interface Item {
  entry: Entry;
  /** Bytes of data; 0 for all but files and segments. */
  size: number;
  bytes: Bytes;
}
export type Source = AsyncIterable<Item> | Iterable<Item>;
/** A segment that another one embeds, already packed. */
export type Embedded = ReadonlyMap<string, { path: string; size: number }>;

/**
 * Every entry with its bytes, in the order given, read ahead in parallel within bounded memory.
 * @throws MindiError `pack.changed` when a file no longer has the size or SHA-256 the manifest gives it,
 *   `pack.unreadable` when it cannot be read, `pack.no-content` when nothing says where its bytes are.
 */
export async function* readEntries(
  entries: readonly Entry[],
  contents: Contents,
  embedded: Embedded = new Map(),
): AsyncGenerator<Item> {
  const waiting: { size: number; bytes: Promise<Bytes> }[] = [];
  let next = 0;
  let ahead = 0;
  for (const entry of entries) {
    while (next < entries.length && (waiting.length === 0 || (ahead < AHEAD_BYTES && waiting.length < AHEAD_FILES))) {
      const upcoming = entries[next++] as Entry;
      const size = sizeOf(upcoming, embedded);
      const bytes = readEntry(upcoming, contents, embedded);
      bytes.catch(() => {}); // reported when its turn comes; an earlier failure may end the loop first
      waiting.push({ size, bytes });
      ahead += size;
    }
    const { size, bytes } = waiting.shift() as (typeof waiting)[number];
    yield { entry, size, bytes: await bytes };
    ahead -= size;
  }
}

/** Bytes of data of an entry: a file's, or those of the segment it embeds. */
export function sizeOf(entry: Entry, embedded: Embedded): number {
  if (entry.type === 'file') return entry.size;
  return entry.type === 'segment' ? (embedded.get(entry.segment)?.size ?? 0) : 0;
}

/** Joins small pieces, so that files and pipes are written in few large ones. */
export async function* joined(pieces: Bytes, size = CHUNK): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    held.push(piece);
    bytes += piece.length;
    if (bytes < size) continue;
    yield held.length === 1 ? piece : Buffer.concat(held);
    held = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(held);
}

async function readEntry(entry: Entry, contents: Contents, embedded: Embedded): Promise<Bytes> {
  if (entry.type === 'file') return readFileEntry(entry, contents);
  const packed = entry.type === 'segment' ? embedded.get(entry.segment) : undefined;
  return packed ? createReadStream(packed.path, { highWaterMark: CHUNK }) : [];
}

async function readFileEntry(entry: FileEntry, contents: Contents): Promise<Bytes> {
  const content = contents.get(entry.sha256);
  if (!content) {
    throw new MindiError(`nothing says where the bytes of ${entry.path} are`, {
      code: 'pack.no-content',
      exitCode: 70,
    });
  }
  if (content.from === 'file' && entry.size > WHOLE) return verified(entry, streamFile(entry, content.path));
  const bytes = await readWhole(entry, content);
  for await (const _ of verified(entry, [bytes]));
  return [bytes];
}

async function readWhole(entry: FileEntry, content: Content): Promise<Uint8Array> {
  if (content.from === 'bytes') return content.bytes;
  try {
    if (content.from === 'runtime') return slimmed(content.path);
    return content.from === 'module' ? await readModule(content.path) : await readFile(content.path);
  } catch (error) {
    throw unreadable(entry, content.path, error);
  }
}

async function* streamFile(entry: FileEntry, path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path, { highWaterMark: CHUNK });
  } catch (error) {
    throw unreadable(entry, path, error);
  }
}

async function* verified(entry: FileEntry, chunks: Bytes): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > entry.size) throw changed(entry);
    hash.update(chunk);
    yield chunk;
  }
  if (size !== entry.size || hash.digest('hex') !== entry.sha256) throw changed(entry);
}

function changed(entry: FileEntry): MindiError {
  return new MindiError(`${entry.path} changed while the medium was being built`, {
    code: 'pack.changed',
    where: entry.origin,
    hint: 'Build again when nothing writes to it.',
  });
}

function unreadable(entry: FileEntry, path: string, error: unknown): MindiError {
  if (error instanceof MindiError) return error;
  return new MindiError(`cannot read the bytes of ${entry.path}: ${messageOf(error)}`, {
    code: 'pack.unreadable',
    where: path,
    hint: 'Build as a user who may read it.',
    cause: error,
  });
}
