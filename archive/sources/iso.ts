import { type FileHandle, open } from 'node:fs/promises';
import { type Extent, isoTree } from './iso9660.ts';
import { type VolumeSource, volumeOf } from './source.ts';

const PIECE = 1 << 20;

/** The volume that an ISO file or a disc in a drive holds, read without mounting it; null when there is none. */
export async function isoVolume(path: string, name = path): Promise<VolumeSource | null> {
  const tree = await withFile(path, isoTree);
  if (!tree) return null;
  return volumeOf(name, async (file) => {
    const extents = tree.get(file);
    return extents ? pieces(path, extents) : null;
  });
}

async function withFile<T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

async function* pieces(path: string, extents: readonly Extent[]): AsyncGenerator<Buffer> {
  const file = await open(path);
  try {
    for (const { offset, size } of extents) {
      for (let at = 0; at < size; ) {
        const wanted = Math.min(PIECE, size - at);
        const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(wanted), 0, wanted, offset + at);
        if (bytesRead === 0) throw new Error(`it ends after ${at} of ${size} bytes`);
        yield buffer.subarray(0, bytesRead);
        at += bytesRead;
      }
    }
  } finally {
    await file.close();
  }
}
