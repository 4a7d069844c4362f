import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type MediumParts, volumeId } from '../boot/medium.ts';
import { type MenuFacts, menuModel } from '../boot/menu.ts';

const MIB = 1024 ** 2;
const EPOCH = 1700000000;
/** The profile's `boot:` as a menu sees it, when nothing is said. */
export const MENU_DEFAULTS: MenuFacts['boot'] = {
  timeout: 30,
  default: 'interactive',
  menu: 'modes',
  lock: false,
  append: [],
  serial: 'ttyS0,115200',
};

/** What a menu is made from when the profile says nothing and the machine has no memory test. */
export const MENU_FACTS = { source: null, memtest: { bios: null, uefi: null }, boot: MENU_DEFAULTS } as const;

/** A medium with made-up contents in a folder: every file another size, none a whole number of blocks. */
export async function mediumParts(folder: string, change: Partial<MediumParts> = {}): Promise<MediumParts> {
  const at = (...path: string[]) => join(folder, ...path);
  const files = {
    kernel: randomBytes(MIB + 1),
    initrd: randomBytes(3 * MIB + 2047),
    stage2: randomBytes(2 * MIB + 1000),
  };
  for (const [name, bytes] of Object.entries(files)) await writeFile(at(name), bytes);
  return {
    out: at('out', 'test.iso'),
    volumeId: volumeId('test'),
    epoch: EPOCH,
    id: 'a5'.repeat(32),
    kernel: at('kernel'),
    initrd: at('initrd'),
    stage2: { path: at('stage2'), sha256: '5a'.repeat(32) },
    extraFiles: {},
    menu: menuModel({
      name: 'test',
      generator: 'mindi',
      machine: null,
      epoch: EPOCH,
      ...MENU_FACTS,
    }),
    ...change,
  };
}
