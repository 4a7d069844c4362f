import { MindiError } from '../../contract/error.ts';
import type { Entry } from '../../contract/manifest.ts';
import type { Bytes, Source } from './content.ts';

/**
 * The newc cpio format as the kernel's initramfs takes it.
 * https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
 */
export const HEADER_SIZE = 110;
export const TRAILER = 'TRAILER!!!';
/** All header fields are 32 bit. */
const LARGEST = 0xffff_ffff;
/** The kernel passes over names longer than PATH_MAX (init/initramfs.c, do_header). */
const LONGEST_NAME = 4096;

export const FILE_TYPES = {
  file: 0o100000,
  segment: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  char: 0o020000,
  block: 0o060000,
  config: 0o100000,
} as const satisfies Record<Entry['type'], number>;

interface Header {
  ino: number;
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  mtime: number;
  size: number;
  rdevMajor: number;
  rdevMinor: number;
  name: string;
}

/**
 * One whole cpio archive of the entries in the order given: inodes numbered from 1, every time `mtime` (seconds since
 * 1970), owners, modes and device numbers from the manifest.
 * @throws MindiError `cpio.too-big` for what 32-bit fields cannot hold, `cpio.bad-size` when bytes and size disagree.
 */
export async function* writeCpio(source: Source, mtime = 0): AsyncGenerator<Uint8Array> {
  let ino = 1;
  for await (const { entry, size: fileSize, bytes } of source) {
    const target = entry.type === 'symlink' ? Buffer.from(entry.target) : undefined;
    const size = target?.length ?? fileSize;
    const device = entry.type === 'char' || entry.type === 'block' ? entry : { major: 0, minor: 0 };
    yield header({
      ino: ino++,
      mode: FILE_TYPES[entry.type] | entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      nlink: entry.type === 'directory' ? 2 : 1,
      mtime,
      size,
      rdevMajor: device.major,
      rdevMinor: device.minor,
      name: entry.path.slice(1),
    });
    yield* padded(target ? [target] : bytes, size, entry.path);
  }
  const last = { ino: 0, mode: 0, uid: 0, gid: 0, nlink: 1, mtime: 0, size: 0, rdevMajor: 0, rdevMinor: 0 };
  yield header({ ...last, name: TRAILER });
}

function header(fields: Header): Buffer {
  const name = Buffer.from(fields.name);
  const { ino, mode, uid, gid, nlink, mtime, size, rdevMajor, rdevMinor } = fields;
  const numbers = [ino, mode, uid, gid, nlink, mtime, size, 0, 0, rdevMajor, rdevMinor, name.length + 1, 0];
  if (numbers.some((number) => !Number.isInteger(number) || number < 0 || number > LARGEST)) {
    throw tooBig(`/${fields.name}`, size > LARGEST ? 'it is larger than 4 GiB' : 'one of its numbers is above 32 bits');
  }
  if (name.length + 1 > LONGEST_NAME) throw tooBig(`/${fields.name.slice(0, 60)}…`, 'its name is too long');
  const out = Buffer.alloc(align(HEADER_SIZE + name.length + 1));
  out.write(`070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`, 'latin1');
  name.copy(out, HEADER_SIZE);
  return out;
}

async function* padded(bytes: Bytes, size: number, path: string): AsyncGenerator<Uint8Array> {
  let written = 0;
  for await (const chunk of bytes) {
    written += chunk.length;
    if (chunk.length > 0) yield chunk;
  }
  if (written !== size) {
    throw new MindiError(`${path} has ${written} bytes, not ${size}`, { code: 'cpio.bad-size', exitCode: 70 });
  }
  if (align(size) > size) yield Buffer.alloc(align(size) - size);
}

/** The next multiple of 4: headers and data start there. */
export function align(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}

function tooBig(path: string, why: string): MindiError {
  return new MindiError(`${path} cannot be stored in an initrd: ${why}`, {
    code: 'cpio.too-big',
    hint: 'Put it into the second stage, or leave it out.',
  });
}
