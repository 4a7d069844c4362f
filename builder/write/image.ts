import { statSync } from 'node:fs';
import { attachments } from '../../boot/bootable.ts';
import type { Attachment } from '../../boot/qemu.ts';
import { isSimh } from '../../boot/simh.ts';
import { MindiError } from '../../contract/error.ts';
import { describeVolume, volumeAt } from './volume.ts';

/** An image that machines start from, whoever made it. */
export interface BootImage {
  path: string;
  /** Bytes. */
  size: number;
  /** One line for people. */
  title: string;
  /** What firmware can start it as. */
  starts: readonly Attachment[];
  /** What should be said of it before it is written. */
  notes: string[];
}

/**
 * Looks at an image for a disk or a disc.
 * @throws MindiError `image.missing`, `image.empty`, `image.unbootable`, `image.truncated`, `image.tape`
 */
export function bootImage(path: string): BootImage {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isFile() && isSimh(path)) throw wrong(path, 'image.tape', 'this is the image of a tape', ISO);
  const starts = attachments(path);
  const size = stats?.size ?? 0;
  const volume = volumeAt(path);
  if (volume && volume.size > size) {
    const message = `the image is not whole: it should have ${volume.size} bytes and has ${size}`;
    throw wrong(path, 'image.truncated', message, 'Copy, download or build it again.');
  }
  const title = volume ? describeVolume(volume) : 'a disk image with a boot sector';
  return { path, size, title, starts, notes: volume?.ours ? [] : [`${path} was not made by mindi: ${title}`] };
}

const ISO = 'Name the .iso or .img that was built beside it, or a tape drive: /dev/nst0.';

function wrong(where: string, code: string, message: string, hint: string): MindiError {
  return new MindiError(message, { code, where, hint });
}
