import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeIso } from '../../boot/iso.ts';
import { volumeId } from '../../boot/medium.ts';
import { menuModel } from '../../boot/menu.ts';
import { makeObdr } from '../../boot/obdr.ts';
import { readSimh, type TapeObject } from '../../boot/simh.ts';
import { MENU_FACTS } from '../medium-parts.ts';

export const EPOCH = 1_700_000_000;

/** Makes web1.iso and web1.tap with made-up contents in a folder. Returns what is on the tape. */
export async function sampleTape(folder: string): Promise<TapeObject[]> {
  const at = (name: string) => join(folder, name);
  for (const [name, size] of Object.entries({ kernel: 300_001, initrd: 400_000 }))
    await writeFile(at(name), Buffer.alloc(size, name));
  const parts = {
    out: at('web1.iso'),
    volumeId: volumeId('web1'),
    epoch: EPOCH,
    id: 'a5'.repeat(32),
    kernel: at('kernel'),
    initrd: at('initrd'),
    stage2: null,
    extraFiles: {},
    menu: menuModel({ name: 'web1', generator: 'mindi', machine: null, epoch: EPOCH, ...MENU_FACTS }),
  };
  const sha256 = await makeIso(parts);
  await makeObdr({ ...parts, out: at('web1.tap'), from: { path: parts.out, sha256 } });
  return [...readSimh(at('web1.tap'))];
}
