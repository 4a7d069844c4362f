import { XFS_FEATURES } from '../../contract/layout/filesystems.ts';
import { positive, said } from '../context.ts';
import type { Describe } from './index.ts';

/** XFS: its geometry as xfs_info prints it, from the device, mounted or not. */
export const xfs: Describe = async ({ machine, note }, block) => {
  const { code, stdout } = await machine.run('xfs_db', ['-r', '-c', 'info', block.path]);
  if (code !== 0 || !stdout.includes('bsize=')) return null;
  const sections = new Map(
    stdout.split(/^(?=\S)/m).map((section) => [/^\S+?(?=[\s=])/.exec(section)?.[0] ?? '', section]),
  );
  const number = (section: string, key: string) =>
    positive(new RegExp(`\\b${key}=(\\d+)`).exec(sections.get(section) ?? '')?.[1]) ?? 0;
  const [blockSize, unit, width] = [number('data', 'bsize'), number('data', 'sunit'), number('data', 'swidth')];
  if (!/internal/.test(sections.get('log') ?? ''))
    note(block.id, 'has its log on another device; a restore makes it inside');
  if (!/^realtime\s*=none/.test(sections.get('realtime') ?? ''))
    note(block.id, 'has a real-time device, which is left out');
  return said({
    blockSize,
    sectorSize: number('meta-data', 'sectsz'),
    inodeSize: number('meta-data', 'isize'),
    allocationGroups: number('meta-data', 'agcount'),
    features: Object.keys(XFS_FEATURES).flatMap((feature) => {
      const value = new RegExp(`\\b${feature}=([01])`).exec(sections.get('meta-data') ?? '')?.[1];
      return value === undefined ? [] : value === '1' ? feature : `^${feature}`;
    }),
    journalSize: number('log', 'blocks') * number('log', 'bsize') || undefined,
    stripeUnit: unit * blockSize || undefined,
    stripeCount: unit > 0 ? width / unit : undefined,
  });
};
