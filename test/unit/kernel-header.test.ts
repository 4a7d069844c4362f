import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import fs from 'fs-extra';
import { afterAll, describe, expect, it } from 'vitest';
import { parseKernelHeader, readKernelHeader } from '../../builder/kernel/header.ts';
import { run } from '../../builder/run.ts';
import { MindiError } from '../../contract/error.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { BOOKWORM, makeImage, statedSize, TRIXIE } from './kernel-images.ts';

const directory = temporaryFolder('header');
afterAll(() => fs.remove(directory));

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof MindiError) return error.code;
    throw error;
  }
  return 'no error';
}

describe('bzImage', () => {
  it.each([BOOKWORM, TRIXIE])('says release and build string of $release', async (kernel) => {
    const header = readKernelHeader(await makeImage(join(directory, kernel.release), kernel));
    expect(header).toEqual({
      format: 'bzImage',
      arch: 'x86_64',
      release: kernel.release,
      banner: `${kernel.release} (debian-kernel@lists.debian.org) ${kernel.version}`,
      wrappers: [],
    });
  });

  it('agrees with file(1)', async () => {
    const path = await makeImage(join(directory, 'vmlinuz'), TRIXIE);
    const { stdout } = await run('file', ['-b', path]);
    expect(stdout).toContain(`version ${readKernelHeader(path).banner},`);
  });

  it('one byte short of what its header states is truncated', async () => {
    const path = await makeImage(join(directory, 'cut'), BOOKWORM, statedSize(BOOKWORM.head) - 1);
    expect(() => readKernelHeader(path)).toThrow(/is cut off: its header states 8\d{6} bytes/);
    expect(codeOf(() => readKernelHeader(path))).toBe('kernel.truncated');
  });

  it('without a version pointer (memtest86+, iPXE) is no Linux', () => {
    const head = Buffer.from(BOOKWORM.head);
    head.writeUInt16LE(0, 0x20e);
    head.writeUInt32LE(0, 0x1f4);
    expect(codeOf(() => parseKernelHeader(head, 'memtest'))).toBe('kernel.no-version');
  });

  it('without a 64-bit entry point is i386', () => {
    const head = Buffer.from(BOOKWORM.head);
    head.writeUInt32LE(0, 0x1f4);
    head.writeUInt16LE(0, 0x236);
    expect(parseKernelHeader(head, 'old').arch).toBe('i386');
  });
});

describe('unified kernel image', () => {
  it('is read through its .linux section, as objcopy makes it', async () => {
    const [base, uki] = [join(directory, 'base.efi'), join(directory, 'linux.efi')];
    const linux = await makeImage(join(directory, 'linux'), BOOKWORM);
    await fs.writeFile(join(directory, 'uname'), BOOKWORM.release);
    await fs.writeFile(join(directory, 'initrd'), Buffer.alloc(1000));
    await run('grub-mkimage', ['-O', 'x86_64-efi', '-o', base, '-p', '/', 'normal']);
    const section = (name: string, at: string) => [
      '--add-section',
      `.${name}=${join(directory, name)}`,
      '--change-section-vma',
      `.${name}=${at}`,
    ];
    const sections = [
      ...section('uname', '0x2000000'),
      ...section('initrd', '0x3000000'),
      ...section('linux', '0x4000000'),
    ];
    await run('objcopy', [...sections, base, uki]);

    const header = readKernelHeader(uki);
    expect(header).toMatchObject({ format: 'uki', release: BOOKWORM.release, uki: { uname: BOOKWORM.release } });
    expect(header.uki?.initrd?.length).toBe(1000);
    const { offset, length } = header.uki?.linux ?? { offset: 0, length: 0 };
    const bytes = await fs.readFile(uki);
    expect(bytes.subarray(offset, offset + length).equals(await fs.readFile(linux))).toBe(true);

    expect(codeOf(() => parseKernelHeader(bytes.subarray(0, offset + length - 1), 'cut'))).toBe('kernel.truncated');
    expect(codeOf(() => readKernelHeader(base))).toBe('kernel.not-a-kernel');
  });
});

describe('arm64', () => {
  const banner =
    '6.1.0-56-arm64 (debian-kernel@lists.debian.org) (gcc-12, GNU ld) #1 SMP Debian 6.1.192-2 (2026-11-16)';
  const image = Buffer.alloc(0x20000);
  image.write('MZ', 0);
  image.write('ARM\x64', 56, 'latin1');
  image.write('Linux version %s\0', 0x1000);
  image.write(`Linux version ${banner}\n\0`, 0x9000);

  const zboot = (compression: string, payload: Buffer) => {
    const head = Buffer.alloc(64);
    head.write('MZ\0\0zimg', 0);
    head.writeUInt32LE(64, 8);
    head.writeUInt32LE(payload.length, 12);
    head.write(compression, 24);
    return Buffer.concat([head, payload]);
  };

  it.each([
    ['plain', image, []],
    ['gzip', gzipSync(image), ['gzip']],
    ['EFI zboot, gzip', zboot('gzip', gzipSync(image)), ['zboot']],
    ['EFI zboot, zstd', zboot('zstd', zstdCompressSync(image)), ['zboot']],
  ])('%s: the banner is found', (_, bytes, wrappers) => {
    const header = parseKernelHeader(bytes, 'Image');
    expect(header).toMatchObject({ format: 'arm64', arch: 'arm64', release: '6.1.0-56-arm64', banner, wrappers });
  });

  it.each([
    ['cut gzip', gzipSync(image).subarray(0, 150), 'kernel.truncated'],
    ['cut zboot', zboot('gzip', gzipSync(image)).subarray(0, 150), 'kernel.truncated'],
    ['xz zboot', zboot('xz', Buffer.alloc(100)), 'kernel.compression'],
    ['cut before its banner', image.subarray(0, 0x8000), 'kernel.no-version'],
  ])('%s', (_, bytes, code) => {
    expect(codeOf(() => parseKernelHeader(bytes, 'Image'))).toBe(code);
  });
});

describe('what is no kernel', () => {
  it.each([
    ['empty', Buffer.alloc(0), 'kernel.empty'],
    ['text', Buffer.from('#!/bin/sh\necho no kernel\n'.repeat(100)), 'kernel.not-a-kernel'],
    ['an ELF program', Buffer.concat([Buffer.from('\x7fELF', 'latin1'), Buffer.alloc(4096)]), 'kernel.not-a-kernel'],
    ['gzip of something else', gzipSync(Buffer.alloc(100_000)), 'kernel.not-a-kernel'],
    ['a DOS program', Buffer.from('MZ'.repeat(1000)), 'kernel.not-a-kernel'],
  ])('%s', (_, bytes, code) => {
    expect(codeOf(() => parseKernelHeader(bytes, 'x'))).toBe(code);
  });

  it('a directory, a device and a path that is not there', () => {
    expect(codeOf(() => readKernelHeader(directory))).toBe('kernel.not-a-kernel');
    expect(codeOf(() => readKernelHeader('/dev/zero'))).toBe('kernel.not-a-kernel');
    expect(codeOf(() => readKernelHeader(join(directory, 'none')))).toBe('kernel.unreadable');
  });
});

describe('no input throws anything but MindiError', () => {
  const attempt = (bytes: Uint8Array) => codeOf(() => parseKernelHeader(bytes, 'x'));
  const starts = [
    fc.constant(Buffer.alloc(0)),
    fc.constant(Buffer.from([0x1f, 0x8b, 8])),
    fc.constant(Buffer.from('MZ\0\0zimg')),
    fc.constant(Buffer.from('MZ')),
  ];

  it('random bytes', () => {
    fc.assert(
      fc.property(fc.oneof(...starts), fc.uint8Array({ maxLength: 2048 }), (start, rest) => {
        expect(attempt(Buffer.concat([start, rest]))).not.toBe('no error');
      }),
    );
  });

  it('a real header with bytes changed or cut off', () => {
    const change = fc.tuple(fc.integer({ min: 0x1f0, max: 0x270 }), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), fc.nat({ max: BOOKWORM.head.length }), (changes, length) => {
        const bytes = Buffer.from(BOOKWORM.head);
        for (const [at, value] of changes) bytes[at] = value;
        attempt(bytes.subarray(0, length));
      }),
    );
  });

  it('PE files with any section table', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 400, maxLength: 1024 }), fc.nat({ max: 1200 }), (table, at) => {
        const bytes = Buffer.alloc(1600);
        bytes.write('MZ', 0);
        bytes.writeUInt32LE(at, 0x3c);
        bytes.write('PE\0\0', at);
        Buffer.from(table).copy(bytes, at + 4);
        bytes.write('.linux\0\0', Math.min(at + 24 + bytes.readUInt16LE(at + 20), 1590));
        attempt(bytes);
      }),
    );
  });
});
