import fs from 'node:fs';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { MindiError, messageOf } from '../../contract/error.ts';

/** A piece of a file, in bytes. */
export interface Range {
  offset: number;
  length: number;
}

export type KernelFormat = 'bzImage' | 'arm64' | 'uki';

/** What a kernel image says of itself. */
export interface KernelHeader {
  format: KernelFormat;
  /** `i386`: an x86 image without a 64-bit entry point (also any from before Linux 3.8, which could not tell). */
  arch: 'x86_64' | 'i386' | 'arm64';
  /** `uname -r` of it. */
  release: string;
  /** The whole build string: release, builder, and what `uname -v` prints. */
  banner: string;
  /** How the file wraps the kernel, outermost first. */
  wrappers: ('gzip' | 'zboot')[];
  /** Of a unified kernel image: where its parts lie in the file. */
  uki?: { linux: Range; initrd?: Range; uname?: string };
}

/** Random access to a kernel image; `read` returns fewer bytes only at the end. */
interface Source {
  name: string;
  size: number;
  read(offset: number, length: number): Buffer;
}

/** No kernel is bigger than this unpacked; what is bigger is no kernel. */
const UNPACKED_LIMIT = 256 << 20;
/** Room for a boot sector, the x86 setup header and a PE section table. */
const HEAD = 0x2000;
const RELEASE = /^\d+\.\d+[\w.+~-]*$/;

/**
 * Reads the header of a kernel image file: release and build string come from where the format keeps them, and the
 * sizes it states must fit the file.
 * @throws MindiError `kernel.unreadable`, `kernel.empty`, `kernel.not-a-kernel`, `kernel.no-version`,
 * `kernel.truncated`, `kernel.compression`; `where` is the path.
 */
export function readKernelHeader(path: string): KernelHeader {
  let fd: number | undefined;
  try {
    fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const stat = fs.fstatSync(fd);
    if (!stat.isFile()) throw problem(path, 'kernel.not-a-kernel', 'is not a regular file, so not a kernel image');
    return parse(fileSource(path, fd, stat.size), 0);
  } catch (error) {
    if (error instanceof MindiError) throw error;
    throw new MindiError(`cannot read the kernel image: ${messageOf(error)}`, {
      code: 'kernel.unreadable',
      where: path,
      hint: unreadableHint(error),
      cause: error,
    });
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

/** The same for bytes in memory; `name` is what errors call them. */
export function parseKernelHeader(bytes: Uint8Array, name: string): KernelHeader {
  return parse(bytesSource(name, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)), 0);
}

function unreadableHint(error: unknown): string {
  return (error as NodeJS.ErrnoException).code === 'EACCES'
    ? 'Some distributions let only root read kernel images: run mindi as root.'
    : 'Name an existing kernel image, or use `kernel: failsafe`.';
}

function fileSource(name: string, fd: number, size: number): Source {
  const read = (offset: number, length: number) => {
    const buffer = Buffer.alloc(Math.max(0, Math.min(length, size - offset)));
    let got = 0;
    while (got < buffer.length) {
      const count = fs.readSync(fd, buffer, got, buffer.length - got, offset + got);
      if (count === 0) break;
      got += count;
    }
    return buffer.subarray(0, got);
  };
  return { name, size, read };
}

function bytesSource(name: string, bytes: Buffer): Source {
  return { name, size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

function slice(source: Source, range: Range): Source {
  const { name } = source;
  const read = (offset: number, length: number) =>
    source.read(range.offset + offset, Math.max(0, Math.min(length, range.length - offset)));
  return { name, size: range.length, read };
}

function parse(source: Source, depth: number): KernelHeader {
  if (source.size === 0) throw problem(source.name, 'kernel.empty', 'is empty');
  const head = source.read(0, HEAD);
  if (isX86(head)) return parseX86(source, head);
  if (isArm64(head)) return parseArm64(source, head);
  if (isPe(head) && depth === 0) return parseUki(source, head);
  if (depth < 2) {
    if (isZboot(head)) return wrapped('zboot', parse(unpackZboot(source, head), depth + 1));
    if (isGzip(head) && gzipHoldsKernel(head)) return wrapped('gzip', parse(gunzip(source), depth + 1));
  }
  throw problem(source.name, 'kernel.not-a-kernel', describeOther(head));
}

function wrapped(by: 'gzip' | 'zboot', header: KernelHeader): KernelHeader {
  return { ...header, wrappers: [by, ...header.wrappers] };
}

// x86: Documentation/arch/x86/boot.rst

const isX86 = (head: Buffer) =>
  head.length >= 0x210 && head.readUInt16LE(0x1fe) === 0xaa55 && head.toString('latin1', 0x202, 0x206) === 'HdrS';

function parseX86(source: Source, head: Buffer): KernelHeader {
  const protocol = head.readUInt16LE(0x206);
  // "If the setup_sects field contains 0, the real value is 4"; the boot sector itself comes on top.
  const setup = ((head[0x1f1] || 4) + 1) * 512;
  // In 16-byte paragraphs, two bytes wide before protocol 2.04.
  const system = 16 * (protocol >= 0x204 ? head.readUInt32LE(0x1f4) : head.readUInt16LE(0x1f4));
  needs(source, setup + system);
  const pointer = head.readUInt16LE(0x20e);
  if (pointer === 0 || pointer + 0x200 >= setup)
    throw problem(source.name, 'kernel.no-version', 'has an x86 boot header, but it names no Linux version');
  const banner = cString(source.read(0x200 + pointer, 1024));
  const xloadflags = protocol >= 0x20c && head.length > 0x238 ? head.readUInt16LE(0x236) : 0;
  return { format: 'bzImage', arch: xloadflags & 1 ? 'x86_64' : 'i386', ...version(source, banner), wrappers: [] };
}

// arm64: Documentation/arch/arm64/booting.rst

const isArm64 = (head: Buffer) => head.length >= 64 && head.toString('latin1', 56, 60) === 'ARM\x64';

/** The arm64 header has no version: it is `linux_banner`, the constant the kernel prints first. */
function parseArm64(source: Source, head: Buffer): KernelHeader {
  const textOffset = head.readBigUInt64LE(8);
  if (textOffset > 0x200000n) throw problem(source.name, 'kernel.not-a-kernel', 'has a damaged arm64 header');
  const all = source.read(0, Math.min(source.size, UNPACKED_LIMIT));
  const marker = Buffer.from('Linux version ');
  for (let at = all.indexOf(marker); at >= 0; at = all.indexOf(marker, at + 1)) {
    const banner = cString(all.subarray(at + marker.length, at + marker.length + 1024));
    if (isBanner(banner)) return { format: 'arm64', arch: 'arm64', ...version(source, banner), wrappers: [] };
  }
  throw problem(source.name, 'kernel.no-version', 'is an arm64 image without a Linux version; it may be cut off');
}

// EFI zboot: drivers/firmware/efi/libstub/zboot-header.S

const isZboot = (head: Buffer) =>
  head.length >= 64 && head.toString('latin1', 0, 2) === 'MZ' && head.toString('latin1', 4, 8) === 'zimg';

function unpackZboot(source: Source, head: Buffer): Source {
  const range = { offset: head.readUInt32LE(8), length: head.readUInt32LE(12) };
  needs(source, range.offset + range.length);
  const compression = cString(head.subarray(24, 56));
  const payload = slice(source, range);
  if (compression === 'gzip') return gunzip(payload);
  if (compression === 'zstd') return unpack(payload, zstdDecompressSync);
  throw new MindiError(`is an EFI zboot kernel compressed with ${compression || 'something unnamed'}`, {
    code: 'kernel.compression',
    where: source.name,
    hint: 'mindi reads gzip and zstd; unpack the kernel first and name the unpacked file.',
  });
}

const isGzip = (head: Buffer) => head[0] === 0x1f && head[1] === 0x8b && head[2] === 8;

/** Unpacks only the first bytes, so that a gzip'ed initrd or config is not unpacked to its end to be refused. */
function gzipHoldsKernel(head: Buffer): boolean {
  try {
    // Z_SYNC_FLUSH: give what there is instead of failing at the cut.
    const start = gunzipSync(head, { finishFlush: 2, maxOutputLength: UNPACKED_LIMIT });
    return isX86(start) || isArm64(start);
  } catch {
    return false;
  }
}

const gunzip = (source: Source) => unpack(source, gunzipSync);

function unpack(source: Source, how: (bytes: Buffer, options: { maxOutputLength: number }) => Buffer): Source {
  try {
    const packed = source.read(0, Math.min(source.size, UNPACKED_LIMIT));
    return bytesSource(source.name, how(packed, { maxOutputLength: UNPACKED_LIMIT }));
  } catch (error) {
    throw problem(source.name, 'kernel.truncated', `cannot be unpacked, it is cut off or damaged: ${messageOf(error)}`);
  }
}

// Unified kernel image: a PE file of systemd-stub, https://uapi-group.org/specifications/specs/unified_kernel_image/

const isPe = (head: Buffer) => {
  if (head.length < 64 || head.toString('latin1', 0, 2) !== 'MZ') return false;
  const at = head.readUInt32LE(0x3c);
  return at + 24 <= head.length && head.toString('latin1', at, at + 4) === 'PE\0\0';
};

function parseUki(source: Source, head: Buffer): KernelHeader {
  const sections = peSections(source, head);
  const linux = sections.get('.linux');
  if (!linux) throw problem(source.name, 'kernel.not-a-kernel', 'is an EFI program without a kernel in it');
  for (const part of sections.values()) needs(source, part.offset + part.length);
  const inner = parse(slice(source, linux), 1);
  const uname = sections.get('.uname');
  const initrd = sections.get('.initrd');
  return {
    ...inner,
    format: 'uki',
    uki: {
      linux,
      ...(initrd ? { initrd } : {}),
      ...(uname ? { uname: cString(source.read(uname.offset, Math.min(uname.length, 256))) } : {}),
    },
  };
}

/** Section name to its bytes in the file; padding to the file alignment is left out. */
function peSections(source: Source, head: Buffer): Map<string, Range> {
  const coff = head.readUInt32LE(0x3c) + 4;
  const count = head.readUInt16LE(coff + 2);
  const start = coff + 20 + head.readUInt16LE(coff + 16);
  const table = source.read(start, count * 40);
  const sections = new Map<string, Range>();
  for (let at = 0; at + 40 <= table.length; at += 40) {
    const name = cString(table.subarray(at, at + 8));
    const length = Math.min(table.readUInt32LE(at + 8), table.readUInt32LE(at + 16));
    // The first section of a name is the default profile's; a UKI may hold more profiles.
    if (!sections.has(name)) sections.set(name, { offset: table.readUInt32LE(at + 20), length });
  }
  return sections;
}

// What all formats share

function needs(source: Source, bytes: number): void {
  if (source.size >= bytes) return;
  throw problem(
    source.name,
    'kernel.truncated',
    `is cut off: its header states ${bytes} bytes, the file has ${source.size}`,
    'Copy it again, or reinstall the package it came from.',
  );
}

function version(source: Source, banner: string): { release: string; banner: string } {
  if (!isBanner(banner))
    throw problem(source.name, 'kernel.no-version', 'has a kernel header, but no Linux version where it points');
  return { release: releaseOf(banner), banner };
}

const releaseOf = (banner: string) => banner.split(' ', 1)[0] ?? '';
const isBanner = (banner: string) => RELEASE.test(releaseOf(banner)) && /^[\x20-\x7e]+$/.test(banner);

/** Text up to the first NUL or line end. */
function cString(bytes: Buffer): string {
  const text = bytes.toString('latin1');
  const end = text.search(/[\0\n]/);
  return (end < 0 ? text : text.slice(0, end)).trim();
}

function describeOther(head: Buffer): string {
  if (head.toString('latin1', 0, 4) === '\x7fELF')
    return 'is an ELF file; name the bootable image (vmlinuz), not vmlinux';
  if (isGzip(head)) return 'is gzip data, but holds no kernel';
  if (head.length < 0x210) return 'is too short for a kernel image';
  return 'is not a kernel image';
}

function problem(where: string, code: string, message: string, hint?: string): MindiError {
  return new MindiError(message, {
    code,
    where,
    hint: hint ?? 'Name a Linux kernel image, usually /boot/vmlinuz-VERSION.',
  });
}
