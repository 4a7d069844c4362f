import { existsSync } from 'node:fs';
import { MindiError } from '../../contract/error.ts';
import type { DeviceKind, Target, WriteOptions } from './device.ts';
import { discs } from './disc.ts';
import { disks } from './disk.ts';
import { tapes } from './tape.ts';

const KINDS: readonly DeviceKind[] = [tapes, discs, disks];

/**
 * Looks at the device at a path.
 * @throws MindiError `write.no-device`, and whatever is wrong with the image
 */
export async function lookAt(path: string, options: WriteOptions): Promise<Target> {
  const kind = KINDS.find((one) => one.owns(path));
  if (kind) return kind.look(path, options);
  throw new MindiError(existsSync(path) ? 'this is no device that mindi can write to' : 'there is no such device', {
    code: 'write.no-device',
    where: path,
    hint: 'Name a stick, /dev/sdb, a burner, /dev/sr0, or a tape drive, /dev/nst0.',
  });
}
