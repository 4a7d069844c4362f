import { join } from 'node:path';
import { hashFile } from '../../builder/cache.ts';
import { run } from '../../builder/run.ts';

/** A disk of the machine that nothing may be written to, and that would change if anybody mounted it carelessly. */
export interface Witness {
  /** For MachineOptions.drives. */
  drive: string;
  /** Whether its bytes are what they were. */
  untouched(): Promise<boolean>;
}

/** An ext4 whose journal wants to be replayed, behind virtio. */
export async function witness(folder: string): Promise<Witness> {
  const disk = join(folder, 'witness.img');
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', disk, '8M']);
  await run('debugfs', ['-w', '-R', 'feature needs_recovery', disk]);
  const before = (await hashFile(disk)).sha256;
  return { drive: `${disk}:virtio`, untouched: async () => (await hashFile(disk)).sha256 === before };
}
