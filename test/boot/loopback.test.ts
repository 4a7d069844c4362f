import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startMachine } from '../../boot/qemu.ts';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { run } from '../../builder/run.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { findReady } from '../../contract/report.ts';

/** Longer than any boot takes under software emulation on a busy machine. */
const PATIENCE = 200;
const SECTORS = 500_000;
const MODULES = [
  ...['part_gpt', 'fat', 'iso9660', 'loopback', 'normal', 'configfile', 'test', 'true', 'linux', 'echo', 'sleep'],
  ...['serial', 'terminal', 'gfxterm', 'font', 'all_video'],
];

let work: Scratch;
let stick: string;

beforeAll(async () => {
  work = await scratch('test');
  const { media } = await build(await loadProfile('standalone'), work.path);
  stick = await grubStick(media[0]?.path ?? '', '/my isos/rescue.iso');
});
afterAll(() => work[Symbol.asyncDispose]());

/** Somebody's stick with GRUB for UEFI, which boots the ISO file as all of them do: by its loopback.cfg. */
async function grubStick(iso: string, path: string): Promise<string> {
  const at = (name: string) => join(work.path, name);
  const menu = [`iso_path="${path}"`, 'export iso_path', 'loopback loop "$iso_path"', 'set root=(loop)'];
  await writeFile(at('grub.cfg'), [...menu, 'configfile /boot/grub/loopback.cfg', ''].join('\n'));
  await run('grub-mkimage', ['-O', 'x86_64-efi', '-p', '/boot/grub', '-o', at('grub.efi'), ...MODULES]);
  await writeFile(at('stick.img'), '');
  await truncate(at('stick.img'), (SECTORS + 4096) * 512);
  await run('sfdisk', [at('stick.img')], { input: `label: gpt\nstart=2048, size=${SECTORS}, type=uefi\n` });
  const partition = ['-i', `${at('stick.img')}@@1M`];
  await run('mformat', [...partition, '-F', '-T', String(SECTORS), '-h', '255', '-s', '63', '::']);
  await run('mmd', [...partition, '::/EFI', '::/EFI/BOOT', '::/boot', '::/boot/grub', '::/my isos']);
  await run('mcopy', [...partition, at('grub.efi'), '::/EFI/BOOT/BOOTX64.EFI']);
  await run('mcopy', [...partition, at('grub.cfg'), '::/boot/grub/grub.cfg']);
  await run('mcopy', [...partition, iso, `::${path}`]);
  return at('stick.img');
}

test('the ISO boots from its file on a stick with GRUB, and finds itself there', async () => {
  await using machine = await startMachine({ firmware: 'uefi', medium: { path: stick, as: 'usb' } });
  await machine.waitForText('boot the selected OS', PATIENCE);
  machine.type('\r');
  const report = await machine.waitFor('the ready line', findReady, PATIENCE);
  expect(report).toMatchObject({ medium: '/dev/sda1:/my isos/rescue.iso', problems: [], missing: [] });
});
