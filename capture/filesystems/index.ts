import { FILESYSTEM_TYPES } from '../../contract/layout/filesystems.ts';
import { sectionOf } from '../../contract/layout/graph.ts';
import type { FileSystem } from '../../contract/layout/schema.ts';
import { type Block, isPath } from '../block.ts';
import { type Context, said } from '../context.ts';
import { btrfs } from './btrfs.ts';
import { ext } from './ext.ts';
import { exfat, fat, ntfs } from './fat.ts';
import { xfs } from './xfs.ts';

/** What a file system says of itself beside UUID and label; null: nobody could read it. */
export type Describe = (context: Context, block: Block) => Promise<Partial<FileSystem> | null>;

/** Those that are made by more than their name. */
const DESCRIBE: Record<string, Describe> = { ext2: ext, ext3: ext, ext4: ext, xfs, btrfs, vfat: fat, ntfs, exfat };

/** What carries other devices and is captured as that, or is nothing. */
const LAYERS = ['LVM2_member', 'crypto_LUKS', 'zfs_member', 'mpath_member', ''];

/** File systems and swap areas. */
export async function captureFilesystems(context: Context): Promise<void> {
  const seen = new Set<string>();
  for (const block of context.blocks) {
    // Snapshots and the parts volumes are made of show what the volume holds, too.
    if (isPath(block) || !sectionOf(context.layout, block.id)) continue;
    if (LAYERS.includes(block.content) || block.content.endsWith('_raid_member')) continue;
    if (!FILESYSTEM_TYPES.includes(block.content)) {
      context.note(block.id, `holds ${block.content}, which this layout cannot say`);
      continue;
    }
    // All devices of a btrfs carry its UUID; the first stands for it.
    if (block.content === 'btrfs' && seen.has(block.uuid)) continue;
    seen.add(block.uuid);
    const fields = (await DESCRIBE[block.content]?.(context, block)) ?? null;
    if (fields === null && DESCRIBE[block.content])
      context.note(block.id, `its ${block.content} could not be read: a restore makes it with the usual parameters`);
    const { content: type, uuid, label } = block;
    context.layout.filesystems[block.id] = said({ type, uuid, label, ...fields }) as FileSystem;
  }
}
