/** Makes the pictures of docs/images anew: starts a machine in QEMU from the built-in profile's ISO and looks at its screen. */
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startMachine } from '../boot/qemu.ts';
import { build } from '../builder/build.ts';
import { loadProfile } from '../builder/profile/load.ts';
import { run } from '../builder/run.ts';
import { scratch } from '../builder/scratch.ts';

const FOLDER = join(import.meta.dirname, '../docs/images');
/** Seconds; software emulation on a busy machine is slow. */
const PATIENCE = 180;

await using work = await scratch('screenshots');
await mkdir(FOLDER, { recursive: true });
const { media } = await build(await loadProfile('standalone'), work.path);
const disk = join(work.path, 'disk.img');
await writeFile(disk, '');
await truncate(disk, 8e9);
await run('mke2fs', ['-q', '-t', 'ext4', '-L', 'store', '-E', 'lazy_itable_init=1', disk]);
await using machine = await startMachine({
  medium: { path: media[0]?.path ?? '', as: 'cdrom' },
  drives: [`${disk}:ahci`],
});

/** A picture of what stands still for a second: the screen may lag behind the serial console. */
async function picture(name: string): Promise<void> {
  const file = join(FOLDER, `${name}.png`);
  for (let before: Buffer | undefined, now: Buffer | undefined; !now || !before?.equals(now); ) {
    before = now;
    await sleep(1000);
    await machine.screenshot(file);
    now = await readFile(file);
  }
}

await machine.waitForText(/Help +explain every entry/, PATIENCE);
machine.type('\x1b[B');
await machine.waitForText('tools. Nothing is mounted', PATIENCE);
await picture('boot-menu');
machine.type('\x1b[A\r');
await machine.waitForText('Alt-F4 the log', PATIENCE);
// Asked for by the keyboard and shown again, the menu is on the screen for certain.
await machine.key('k');
await machine.waitForText('Which keyboard layout?', PATIENCE);
const before = machine.text.length;
await machine.key('esc');
await machine.waitFor('the menu', (text) => text.includes('Alt-F4 the log', before) || undefined, PATIENCE);
await picture('menu');
