import { MindiError } from '../../contract/error.ts';
import type { DeviceKind, Target, WriteOptions } from './device.ts';
import { tapes } from './tape.ts';

const KINDS: readonly DeviceKind[] = [tapes];

/**
 * Looks at the device at a path.
 * @throws MindiError `write.no-device`, and whatever is wrong with the image
 */
export async function lookAt(path: string, options: WriteOptions): Promise<Target> {
  const kind = KINDS.find((one) => one.owns(path));
  if (kind) return kind.look(path, options);
  throw new MindiError('this is no device that mindi can write to', {
    code: 'write.no-device',
    where: path,
    hint: 'Name a tape drive: /dev/nst0.',
  });
}
