import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type MediumParts, volumeId } from '../boot/medium.ts';
import { menuModel } from '../boot/menu.ts';

const MIB = 1024 ** 2;
const EPOCH = 1700000000;

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
      boot: { timeout: 30, default: 'interactive', append: [], serial: 'ttyS0,115200' },
    }),
    ...change,
  };
}
