/** Makes the pictures of docs/screenshots anew: boots the built-in profile in QEMU and looks at its screen. */
import { join } from 'node:path';
import { takeKernel } from '../boot/bootable.ts';
import { startMachine } from '../boot/qemu.ts';
import { build } from '../builder/build.ts';
import { loadProfile } from '../builder/profile/load.ts';
import { scratch } from '../builder/scratch.ts';

const FOLDER = join(import.meta.dirname, '../docs/screenshots');
/** Seconds; software emulation on a busy machine is slow. */
const PATIENCE = 180;

await using work = await scratch('screenshots');
const { media } = await build(await loadProfile('standalone'), work.path);
const path = media[0]?.path ?? '';
const direct = { ...(await takeKernel(path, work.path)), append: 'console=tty0 console=ttyS0,115200' };
await using machine = await startMachine({ medium: { path, as: 'cdrom' }, direct });
// The serial console gets the menu after the screen.
await machine.waitForText(/Switch it off[\s\S]*Alt-F4 the log/, PATIENCE);
await machine.screenshot(join(FOLDER, 'menu.png'));
await machine.key('k');
await machine.waitForText('Which keyboard layout?', PATIENCE);
await machine.screenshot(join(FOLDER, 'keymaps.png'));
