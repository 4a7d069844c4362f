import { positive, said } from '../context.ts';
import { linesOf } from '../machine.ts';
import type { Describe } from './index.ts';

/** Say what state it is in, not how it was made. */
const PASSING = ['needs_recovery', 'orphan_present'];

/** ext2, ext3, ext4: the superblock, by dumpe2fs. */
export const ext: Describe = async ({ machine, note }, block) => {
  const { code, stdout } = await machine.run('dumpe2fs', ['-h', block.path]);
  if (code !== 0) return null;
  const facts = linesOf(stdout, /:\s/);
  const words = (name: string) => (facts.get(name) ?? '').replace('(none)', '').split(/\s+/).filter(Boolean);
  const features = words('Filesystem features').filter((feature) => !PASSING.includes(feature));
  if (features.includes('journal_dev')) note(block.id, 'is the journal of another file system');
  if (facts.has('Journal device')) note(block.id, 'has its journal on another device; a restore makes it inside');
  return said({
    blockSize: positive(facts.get('Block size')),
    ...(features.includes('bigalloc') ? { clusterSize: positive(facts.get('Cluster size')) } : {}),
    inodeSize: positive(facts.get('Inode size')),
    inodes: positive(facts.get('Inode count')),
    features,
    reservedBlocks: Number(facts.get('Reserved block count') ?? 0),
    journalSize: journalOf(facts.get('Total journal size') ?? facts.get('Journal size')),
    stride: positive(facts.get('RAID stride')),
    stripeWidth: positive(facts.get('RAID stripe width')),
    mountDefaults: words('Default mount options'),
  });
};

/** `4096k`, `64M` in bytes. */
function journalOf(text: string | undefined): number | undefined {
  const [, number, unit = ''] = /^(\d+)([kM]?)/.exec(text ?? '') ?? [];
  if (number === undefined) return undefined;
  return Number(number) * ({ k: 1024, M: 2 ** 20 }[unit] ?? 1) || undefined;
}
