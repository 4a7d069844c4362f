import { posix } from 'node:path';
import { MindiError } from '../../contract/error.ts';
import { type CpioMember, readCpio } from '../pack/cpio-reader.ts';
import { type Compression, streamAt } from './compressed.ts';
import type { EntryType, ImageEntry, Layer } from './image.ts';
import { readSlice, type Slice } from './slice.ts';

/** One piece of an initrd: a plain archive, or a compressed stream of archives. */
export interface InitrdPart {
  offset: number;
  /** Bytes in the file. */
  size: number;
  compression: Compression | null;
  /** Bytes when unpacked. */
  unpacked: number;
  files: number;
}

const LARGEST = 2 ** 31 - 1;
const TYPES = new Map<number, EntryType>([
  [0o140000, 'socket'],
  [0o120000, 'symlink'],
  [0o100000, 'file'],
  [0o060000, 'block'],
  [0o040000, 'directory'],
  [0o020000, 'char'],
  [0o010000, 'fifo'],
]);

const typeOf = (mode: number) => TYPES.get(mode & 0o170000) ?? 'file';

/**
 * Reads an initrd as the kernel does (init/initramfs.c, unpack_to_rootfs): archives, plain at offsets divisible by 4 or
 * compressed, with zeros between them; what comes later replaces what came before.
 * @throws MindiError with the offset for what the kernel would refuse, and for what is damaged or not whole
 */
export async function openInitrd(slice: Slice, name: string, scratch: string): Promise<Layer> {
  if (slice.size > LARGEST) throw new MindiError('larger than 2 GiB', { code: 'initrd.too-big', where: name });
  const bytes = readSlice(slice);
  try {
    const { parts, members } = await readParts(bytes, scratch);
    const byPath = new Map(members.map((member) => [posix.join('/', member.name), member]));
    byPath.delete('/');
    const dataOf = (entry: ImageEntry) => (byPath.get(entry.path) as CpioMember).data;
    return {
      kind: 'initrd',
      entries: [...byPath].map(([path, member]) => entryOf(path, member)).sort(byTree),
      facts: { parts },
      read: async (entry) => dataOf(entry),
      slice: (entry) => sliceOf(dataOf(entry), bytes, slice),
    };
  } catch (error) {
    if (!(error instanceof MindiError)) throw error;
    const { code, hint, exitCode } = error;
    throw new MindiError(error.message, { code, hint, exitCode, where: name, cause: error });
  }
}

async function readParts(bytes: Buffer, scratch: string): Promise<{ parts: InitrdPart[]; members: CpioMember[] }> {
  const pending: { offset: number; end: number; compression: Compression | null; plain: Promise<Buffer> }[] = [];
  const plainMembers = new Map<number, CpioMember[]>();
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] === 0) at += 1;
    else if (bytes[at] === 0x30 && at % 4 === 0) {
      const { members, end } = readCpio(bytes, at);
      plainMembers.set(at, members);
      pending.push({ offset: at, end, compression: null, plain: Promise.resolve(bytes.subarray(at, end)) });
      at = end;
    } else {
      const stream = await streamAt(bytes, at, scratch);
      if (!stream) throw junk(at);
      pending.push({ offset: at, ...stream });
      at = stream.end;
    }
  }
  const parts: InitrdPart[] = [];
  const members: CpioMember[] = [];
  for (const { offset, end, compression, plain } of pending) {
    const unpacked = await plain;
    const inside = plainMembers.get(offset) ?? archives(unpacked);
    members.push(...inside);
    const files = inside.filter(({ mode }) => typeOf(mode) === 'file').length;
    parts.push({ offset, size: end - offset, compression, unpacked: unpacked.length, files });
  }
  return { parts, members };
}

/** What was compressed must be archives and zeros, nothing else. */
function archives(bytes: Buffer): CpioMember[] {
  const members: CpioMember[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] === 0) {
      at += 1;
      continue;
    }
    const archive = readCpio(bytes, at);
    members.push(...archive.members);
    at = archive.end;
  }
  return members;
}

function entryOf(path: string, { mode, uid, gid, data, rdevMajor: major, rdevMinor: minor }: CpioMember): ImageEntry {
  const type = typeOf(mode);
  return {
    path,
    type,
    mode: mode & 0o7777,
    uid,
    gid,
    size: type === 'file' ? data.length : 0,
    ...(type === 'symlink' ? { target: Buffer.from(data).toString() } : {}),
    ...(type === 'char' || type === 'block' ? { device: { major, minor } } : {}),
  };
}

/** Parents before what is in them. */
export function byTree(a: { path: string }, b: { path: string }): number {
  const [one, other] = [a.path.replaceAll('/', '\0'), b.path.replaceAll('/', '\0')];
  return one < other ? -1 : Number(one > other);
}

/** Data of a plain archive are a part of the file itself. */
function sliceOf(data: Uint8Array, whole: Buffer, slice: Slice): Slice | undefined {
  if (data.buffer !== whole.buffer) return undefined;
  return { path: slice.path, offset: slice.offset + data.byteOffset - whole.byteOffset, size: data.length };
}

function junk(at: number): MindiError {
  return new MindiError(`neither a cpio archive nor a compressed one at byte ${at}`, {
    code: 'initrd.junk',
    hint: 'The kernel would stop there, too. The file is damaged, or no initrd.',
  });
}
