import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import fs from 'fs-extra';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeIso } from '../../boot/iso.ts';
import { configFolders, findSignedLoaders, type SignedLoaders } from '../../boot/signed-loaders.ts';
import { certificateTable, isSigned } from '../../builder/kernel/signature.ts';
import { run } from '../../builder/run.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { secureLoaders } from '../../builder/secure-boot.ts';
import { mediumParts } from '../medium-parts.ts';

/** EFI programs of Debian as a kernel is one, signed and not. */
const SIGNED = ['/usr/lib/shim/shimx64.efi.signed', '/usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed'];
const UNSIGNED = ['/usr/lib/shim/shimx64.efi', '/boot/memtest86+x64.efi'];
const GRUB = '/usr/lib/grub/x86_64-efi-signed';

let work: Scratch;
beforeEach(async () => {
  work = await scratch('test');
});
afterEach(() => work[Symbol.asyncDispose]());

const at = (...path: string[]) => join(work.path, ...path);

describe('the signature of an EFI program', () => {
  it.each([...SIGNED, ...UNSIGNED])('is found as sbverify finds it: %s', async (path) => {
    const { stdout, stderr } = await run('sbverify', ['--list', path], { accept: [1] });
    const listed = /^signature 1$/m.test(stdout) && !/No signature table/.test(stdout + stderr);
    expect(await isSigned(path)).toBe(listed);
    expect(listed).toBe(SIGNED.includes(path));
  });

  it('is none in a file that is cut off, empty, or no program', async () => {
    const whole = await readFile(SIGNED[0] ?? '');
    const bad = [whole.subarray(0, -100), whole.subarray(0, 1024), Buffer.alloc(0), Buffer.from('#!/bin/sh\n')];
    for (const bytes of bad) {
      await writeFile(at('program'), bytes);
      expect(await isSigned(at('program'))).toBe(false);
    }
  });

  it('is looked for without fail in any bytes', () => {
    const header = Buffer.alloc(512);
    header.write('MZ');
    header.writeUInt32LE(64, 0x3c);
    header.write('PE\0\0', 64, 'latin1');
    header.writeUInt16LE(0x20b, 88);
    const any = fc.uint8Array({ maxLength: 400 });
    fc.assert(
      fc.property(any, fc.nat(400), (bytes, offset) => {
        const head = Buffer.from(header);
        head.set(bytes.subarray(0, head.length - offset), offset);
        for (const one of [Buffer.from(bytes), head]) {
          const table = certificateTable(one);
          if (table) expect(Math.min(table.offset, table.size)).toBeGreaterThan(0);
        }
      }),
    );
  });
});

const kernel = (image: string) => ({ image, origin: 'linux-6.1' });
const SIGNED_KERNEL = kernel(SIGNED[0] ?? '');

describe('boot.secureBoot', () => {
  const choose = async (choice: 'auto' | 'require' | 'off', one = SIGNED_KERNEL, root?: string) => {
    const notes: string[] = [];
    const loaders = await secureLoaders(choice, one, { where: 'p.yaml:1:1', note: (text) => notes.push(text), root });
    return { loaders, notes };
  };

  it.each(['auto', 'require'] as const)('%s: takes the signed loaders, which are there', async (choice) => {
    const { loaders, notes } = await choose(choice);
    expect(loaders).toMatchObject({ shim: SIGNED[0], grub: `${GRUB}/grubx64.efi.signed` });
    expect(notes).toEqual([]);
  });

  it('off: takes none', async () => {
    expect(await choose('off')).toEqual({ loaders: null, notes: [] });
  });

  it('auto: goes on without them and says why', async () => {
    const { loaders, notes } = await choose('auto', kernel(UNSIGNED[1] ?? ''), work.path);
    expect(loaders).toBeNull();
    expect(notes).toEqual([
      'these media start only where Secure Boot is off: no signed shim on this machine (package shim-signed); no signed GRUB on this machine (package grub-efi-amd64-signed); the kernel linux-6.1 is not signed',
    ]);
  });

  it('require: fails and names everything that is missing', async () => {
    const error = await choose('require', kernel(UNSIGNED[1] ?? ''), work.path).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'secure-boot.missing', exitCode: 2 });
    const { problems } = error as { problems: { message: string; where: string; hint: string }[] };
    expect(problems.map(({ message }) => message).join()).toMatch(/signed shim.*signed GRUB.*linux-6\.1 is not signed/);
    for (const { where, hint } of problems) expect([where, hint]).toEqual(['p.yaml:1:1', expect.any(String)]);
  });

  it('finds the loaders of other distributions, and never mixes two', async () => {
    const put = (...paths: string[]) => Promise.all(paths.map((path) => fs.outputFile(at(path), '')));
    await put('usr/lib/shim/shimx64.efi.signed', 'usr/share/efi/x86_64/grub.efi');
    expect(findSignedLoaders(work.path)).toEqual([expect.objectContaining({ package: expect.stringMatching(/grub/) })]);
    await put('boot/efi/EFI/fedora/shimx64.efi', 'boot/efi/EFI/fedora/grubx64.efi');
    expect(findSignedLoaders(work.path)).toMatchObject({ shim: at('boot/efi/EFI/fedora/shimx64.efi') });
  });
});

describe('a signed GRUB', () => {
  it.each([
    ['grubx64', 'EFI/debian'],
    ['gcdx64', 'boot/grub'],
    ['grubnetx64', 'grub'],
  ])('%s looks for its configuration in %s', async (name, folder) => {
    expect(await configFolders(`${GRUB}/${name}.efi.signed`)).toEqual([folder, 'EFI/BOOT']);
  });

  it('has every command of the menu built in, because it loads no modules with Secure Boot on', async () => {
    const image = (await readFile(`${GRUB}/grubx64.efi.signed`)).toString('latin1');
    const config = await readFile(new URL('../../templates/grub.cfg.hbs', import.meta.url), 'utf8');
    for (const module of ['serial', 'terminal', 'font', 'gfxterm', 'test', 'linux', 'chain', 'cat', 'sleep', 'regexp'])
      expect(image, module).toContain(`\0${module}\0`);
    expect(config).not.toMatch(/^\s*(read|insmod)\b/m);
  });
});

it('an ISO with signed loaders has them, their configuration in both places, and is the same twice', async () => {
  const signed = findSignedLoaders() as SignedLoaders;
  const isos = [at('one.iso'), at('two.iso')];
  const parts = await mediumParts(work.path, { signed });
  for (const out of isos) await makeIso({ ...parts, out });
  const [one, two] = await Promise.all(isos.map((path) => readFile(path)));
  expect(one?.equals(two ?? Buffer.alloc(0))).toBe(true);
  const extract = ['-extract', '/boot/grub/efi.img', at('efi.img'), '-extract', '/EFI/debian/grub.cfg', at('grub.cfg')];
  await run('osirrox', ['-no_rc', '-indev', `stdio:${isos[0]}`, ...extract]);
  const copy = async (path: string) => {
    await run('mcopy', ['-n', '-i', at('efi.img'), `::/${path}`, at('copy')]);
    return readFile(at('copy'));
  };
  expect((await copy('EFI/BOOT/BOOTX64.EFI')).equals(await readFile(signed.shim))).toBe(true);
  expect((await copy('EFI/BOOT/grubx64.efi')).equals(await readFile(signed.grub))).toBe(true);
  expect(await copy('EFI/debian/grub.cfg')).toEqual(await readFile(at('grub.cfg')));
});
