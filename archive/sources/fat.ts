import { mtoolsEnvironment } from '../../boot/fat.ts';
import { findFat } from '../../boot/find-fat.ts';
import { start } from '../../builder/run.ts';
import { type VolumeSource, volumeOf } from './source.ts';

/** The volume on the FAT file system of a stick, or of an image of one, read without mounting it; null when there is none. */
export async function fatVolume(path: string): Promise<VolumeSource | null> {
  const found = findFat(path);
  if (!found) return null;
  return volumeOf(path, async (file) => pieces(path, found.offset, file));
}

/** Empty when there is no such file: mcopy says so, and gives nothing. */
async function* pieces(path: string, offset: number, file: string): AsyncGenerator<Buffer> {
  const mcopy = start('mcopy', ['-i', `${path}@@${offset}`, `::/${file}`, '-'], {
    package: 'mtools',
    env: mtoolsEnvironment(0),
  });
  try {
    mcopy.stdin.end();
    yield* mcopy.stdout as AsyncIterable<Buffer>;
    await mcopy.ended;
  } finally {
    mcopy.kill();
  }
}
