import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { type VolumeSource, volumeOf } from './source.ts';

/** The volume that a directory is; null when it is none. */
export function folderVolume(folder: string, name = folder): Promise<VolumeSource | null> {
  return volumeOf(name, async (file) => {
    const path = join(folder, file);
    return existsSync(path) ? createReadStream(path, { highWaterMark: 1 << 20 }) : null;
  });
}
