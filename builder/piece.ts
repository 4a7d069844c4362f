import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { Contents, Entry, FileEntry, Reason } from '../contract/manifest.ts';

/** Some files of a medium and how to read them: what the tools, the drivers, the init each bring to the plan. */
export interface Piece {
  entries: Entry[];
  contents: Contents;
}

/** A file whose bytes mindi writes itself. */
export function madeFile(
  piece: Piece,
  path: string,
  text: string | Uint8Array,
  why: Reason[],
  mode = 0o644,
): FileEntry {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const entry: FileEntry = {
    type: 'file',
    path,
    mode,
    uid: 0,
    gid: 0,
    why,
    size: bytes.length,
    sha256,
    origin: 'mindi',
  };
  piece.entries.push(entry);
  piece.contents.set(sha256, { from: 'bytes', bytes });
  return entry;
}

/** All of them as one. */
export function joined(...pieces: readonly Piece[]): Piece {
  return {
    entries: pieces.flatMap(({ entries }) => entries),
    contents: new Map(pieces.flatMap(({ contents }) => [...contents])),
  };
}

/**
 * The entries in the order they are packed: by path, parents before children, missing parent directories added, no path
 * twice. Where two pieces bring the same path, the first one's bytes stay and the reasons of both.
 */
export function arrange(entries: readonly Entry[]): Entry[] {
  const byPath = new Map<string, Entry>();
  for (const entry of entries) {
    const there = byPath.get(entry.path);
    byPath.set(entry.path, there ? { ...there, why: [...there.why, ...entry.why] } : entry);
  }
  for (const path of [...byPath.keys()]) addParents(byPath, path);
  const keyed = [...byPath.values()].map((entry): [string, Entry] => [entry.path.replaceAll('/', '\0'), entry]);
  // Byte order, the same on every machine; a / sorts lowest, so that a directory comes just before what is in it.
  return keyed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, entry]) => entry);
}

function addParents(byPath: Map<string, Entry>, path: string): void {
  for (let parent = posix.dirname(path); parent !== '/' && !byPath.has(parent); parent = posix.dirname(parent)) {
    byPath.set(parent, {
      type: 'directory',
      path: parent,
      mode: 0o755,
      uid: 0,
      gid: 0,
      why: [{ rule: `holds ${path}` }],
    });
  }
}
