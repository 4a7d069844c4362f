import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeCdView } from '../../boot/cd-view.ts';
import { hashOf } from '../cache.ts';
import type { Layer } from './image.ts';
import { openIso } from './iso.ts';
import type { Slice } from './slice.ts';

/**
 * Lists the disc that a drive would show of a tape file; it is copied into `scratch`, because on the tape its blocks lie
 * apart.
 * @throws MindiError `tape.truncated`, `tape.malformed`, `tape.no-image`, and for a damaged ISO
 */
export async function openTape(slice: Slice, name: string, scratch: string): Promise<Layer> {
  const disc = join(scratch, `${hashOf(slice.path)}.iso`);
  await writeCdView(slice.path, disc);
  const { size } = await stat(disc);
  return { ...(await openIso({ path: disc, offset: 0, size }, name)), kind: 'tape' };
}
