import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { takeKernel } from '../../boot/bootable.ts';
import { makeIso } from '../../boot/iso.ts';
import { startMachine } from '../../boot/qemu.ts';
import { findSignedLoaders } from '../../boot/signed-loaders.ts';
import { tryBoot } from '../../boot/trial.ts';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { findReady } from '../../contract/report.ts';
import { mediumParts } from '../medium-parts.ts';

/** Longer than any boot takes under software emulation on a busy machine. */
const PATIENCE = 200;
const SIGNED = { secureBoot: true, problems: [], missing: [] };

let work: Scratch;
const images = { iso: '', usb: '' };

beforeAll(async () => {
  work = await scratch('test');
  const profile = join(work.path, 'signed.yaml');
  await writeFile(
    profile,
    'name: signed\nextends: standalone\nmedia: [iso, usb]\nboot: { secureBoot: require, lock: true, default: expert }\n',
  );
  const { media } = await build(await loadProfile(profile), work.path);
  [images.iso = '', images.usb = ''] = media.map(({ path }) => path);
});
afterAll(() => work[Symbol.asyncDispose]());

describe('with Secure Boot on', () => {
  test('the ISO boots as a disc, its modules are trusted, a tampered one is not, and its menu is locked', async () => {
    const medium = { path: images.iso, as: 'cdrom' as const };
    await using machine = await startMachine({ firmware: 'secureboot', medium });
    await machine.waitForText('boot the selected OS', PATIENCE);
    machine.type('e');
    await machine.waitForText('Enter username:', PATIENCE);
    machine.type('\x1b');
    await machine.waitForText(/Enter username:[\s\S]*Interactive +ask/, PATIENCE);
    machine.type('\r');
    const report = await machine.waitFor('the ready line', findReady, PATIENCE);
    expect(report).toMatchObject({ ...SIGNED, mode: 'expert', medium: '/dev/sr0' });
    await machine.waitForText('Secure Boot is on', PATIENCE);

    const module = 'm=$(find /usr/lib/modules -name st.ko); cp $m /tmp/st.ko';
    const tamper = 'printf X | dd of=/tmp/st.ko bs=1 seek=4096 conv=notrunc 2>/dev/null';
    machine.type(`${module}; insmod $m && rmmod st && echo taken-$((1 + 1)); ${tamper}; insmod /tmp/st.ko\r`);
    await machine.waitForText('taken-2', PATIENCE);
    await machine.waitForText(/Key was rejected by service/, PATIENCE);
  });

  test('the USB image boots', async () => {
    const options = { memory: 512, drives: [], devices: [], timeout: PATIENCE };
    const { report } = await tryBoot({ image: images.usb, firmware: 'secureboot', ...options });
    expect(report).toMatchObject({ ...SIGNED, medium: '/dev/sda1' });
  });

  test('a kernel with one byte flipped is refused', async () => {
    const signed = findSignedLoaders();
    if (Array.isArray(signed)) throw new Error('no signed loaders');
    const { kernel, initrd } = await takeKernel(images.iso, work.path);
    const bytes = await readFile(kernel);
    const middle = Math.floor(bytes.length / 2);
    bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
    await writeFile(kernel, bytes);
    const tampered = join(work.path, 'tampered.iso');
    await makeIso(await mediumParts(work.path, { out: tampered, kernel, initrd, signed }));
    await using machine = await startMachine({ firmware: 'secureboot', medium: { path: tampered, as: 'cdrom' } });
    await machine.waitForText('boot the selected OS', PATIENCE);
    machine.type('\r');
    await machine.waitForText('bad shim signature', PATIENCE);
    expect(machine.text).not.toContain('Linux version');
  });
});
