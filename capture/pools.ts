import { isPath } from './block.ts';
import type { Context } from './context.ts';

/** Pools of ZFS: which devices they have. What is in them only their own tools say and make. */
export async function capturePools(context: Context): Promise<void> {
  const members = context.blocks.filter((block) => block.content === 'zfs_member' && !isPath(block));
  for (const [name, blocks] of Map.groupBy(members, ({ label, uuid }) => label || uuid)) {
    const uuid = blocks[0]?.uuid;
    context.layout.pools[name] = { members: blocks.map(({ id }) => id), ...(uuid ? { uuid } : {}) };
    const { code, stdout } = await context.machine.run('zpool', ['list', '-H', '-o', 'health', name]);
    const state = code === 0 ? ` (${stdout.trim()})` : '';
    context.note(name, `is a pool of ZFS${state}, which zpool must make again before a restore`);
  }
}
