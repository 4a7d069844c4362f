import type { FileHandle } from 'node:fs/promises';

/** ECMA-119: bytes of a block, and where the descriptors begin. */
const BLOCK = 2048;
const DESCRIPTOR = 16 * BLOCK;
/** Of a directory record's flags. A file of 4 GiB and more has several records. */
const DIRECTORY = 2;
/** What a volume of ours never needs: a medium with more is none of ours, or damaged. */
const MOST_ENTRIES = 200_000;
const LARGEST_FOLDER = 32 << 20;

/** A piece of the image. */
export interface Extent {
  offset: number;
  size: number;
}

interface Entry extends Extent {
  name: string;
  directory: boolean;
}

/**
 * The files of an ISO 9660 image with Rock Ridge names, each with where its bytes are. Null when it is no such image;
 * any bytes may come.
 */
export async function isoTree(image: FileHandle): Promise<Map<string, Extent[]> | null> {
  const descriptor = await bytesAt(image, { offset: DESCRIPTOR, size: BLOCK });
  if (descriptor?.toString('latin1', 0, 6) !== '\x01CD001') return null;
  const files = new Map<string, Extent[]>();
  const root = entryAt(descriptor, 156);
  const pending = root ? [{ path: '', folder: root }] : [];
  const seen = new Set<number>();
  for (let next = pending.pop(); next; next = pending.pop()) {
    if (seen.has(next.folder.offset) || next.folder.size > LARGEST_FOLDER) continue;
    seen.add(next.folder.offset);
    for (const entry of entriesOf((await bytesAt(image, next.folder)) ?? Buffer.alloc(0))) {
      const path = `${next.path}${entry.name}`;
      if (entry.directory) pending.push({ path: `${path}/`, folder: entry });
      else files.set(path, [...(files.get(path) ?? []), { offset: entry.offset, size: entry.size }]);
      if (files.size + pending.length > MOST_ENTRIES) return null;
    }
  }
  return files;
}

async function bytesAt(image: FileHandle, { offset, size }: Extent): Promise<Buffer | null> {
  const { buffer, bytesRead } = await image.read(Buffer.alloc(size), 0, size, offset);
  return bytesRead < size ? null : buffer;
}

function* entriesOf(folder: Buffer): Generator<Entry> {
  for (let at = 0; at < folder.length; ) {
    const length = folder[at] as number;
    // No record crosses a block.
    if (length === 0) at = (Math.floor(at / BLOCK) + 1) * BLOCK;
    else {
      const entry = entryAt(folder.subarray(0, at + length), at);
      if (entry && entry.name !== '') yield entry;
      at += length;
    }
  }
}

/** ECMA-119 9.1; the entries for the directory itself and the one above have no name. */
function entryAt(bytes: Buffer, at: number): Entry | null {
  if (bytes.length < at + 34) return null;
  const flags = bytes[at + 25] as number;
  const nameLength = bytes[at + 32] as number;
  const plain = bytes.toString('latin1', at + 33, at + 33 + nameLength);
  const own = nameLength === 1 && plain.charCodeAt(0) < 2;
  const system = bytes.subarray(at + 33 + nameLength + (nameLength % 2 === 0 ? 1 : 0));
  const name = own ? '' : (rockRidgeName(system) ?? plain.replace(/\.?;\d+$/, ''));
  return {
    name: name.includes('/') || name === '..' ? '' : name,
    offset: bytes.readUInt32LE(at + 2) * BLOCK,
    size: bytes.readUInt32LE(at + 10),
    directory: (flags & DIRECTORY) !== 0,
  };
}

/** The NM entries of a record's system use area (IEEE P1282, 4.1.4); ours are never so long that they go on elsewhere. */
function rockRidgeName(system: Buffer): string | undefined {
  let name: string | undefined;
  for (let at = 0; at + 4 <= system.length; ) {
    const length = system[at + 2] as number;
    if (length < 4 || at + length > system.length) break;
    if (system.toString('latin1', at, at + 2) === 'NM' && length > 5)
      name = (name ?? '') + system.toString('utf8', at + 5, at + length);
    at += length;
  }
  return name;
}
