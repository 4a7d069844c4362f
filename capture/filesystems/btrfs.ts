import type { FileSystem } from '../../contract/layout/schema.ts';
import type { Block } from '../block.ts';
import { type Context, positive, said } from '../context.ts';
import { linesOf } from '../machine.ts';
import type { Describe } from './index.ts';

/** Flags of the superblock that mkfs.btrfs turns on and off by these names. */
const FEATURES: Record<string, string> = {
  'mixed-bg': 'MIXED_GROUPS',
  extref: 'EXTENDED_IREF',
  'skinny-metadata': 'SKINNY_METADATA',
  'no-holes': 'NO_HOLES',
};

/** btrfs: superblock, profiles by its chunks, subvolumes where it is mounted. */
export const btrfs: Describe = async (context, block) => {
  const { code, stdout } = await context.machine.run('btrfs', ['inspect-internal', 'dump-super', block.path]);
  if (code !== 0) return null;
  const facts = linesOf(stdout.replace(/^(\w+)[ \t]+/gm, '$1\t'), /\t/);
  const devices = context.blocks.filter(({ content, uuid }) => content === 'btrfs' && uuid === block.uuid);
  const count = Number(facts.get('num_devices') ?? 1);
  if (count > devices.length) context.note(block.id, `${count - devices.length} devices of its btrfs are missing`);
  const flags = new Set(stdout.match(/\b[A-Z][A-Z_0-9]+\b/g));
  return said({
    devices: devices.slice(1).map(({ id }) => id),
    sectorSize: positive(facts.get('sectorsize')),
    nodeSize: positive(facts.get('nodesize')),
    features: Object.entries(FEATURES).flatMap(([name, flag]) =>
      flags.has(flag) ? name : name === 'mixed-bg' ? [] : `^${name}`,
    ),
    checksum: /\(([\w-]+)\)/.exec(facts.get('csum_type') ?? '')?.[1]?.replace('-64', ''),
    ...(await profilesOf(context, block)),
    ...(await subvolumesOf(context, block, devices)),
  });
};

/** `type METADATA|DUP`; nothing behind the bar is `single`. */
async function profilesOf({ machine, note }: Context, block: Block): Promise<Pick<FileSystem, 'data' | 'metadata'>> {
  const { stdout } = await machine.run('btrfs', ['inspect-internal', 'dump-tree', '-t', 'chunk', block.path]);
  const found = (kind: RegExp) => [
    ...new Set(
      [...stdout.matchAll(/\btype (\S+)/g)].flatMap(([, type = '']) => (kind.test(type) ? profile(type) : [])),
    ),
  ];
  const [data, metadata] = [found(/\bDATA\b/), found(/\bMETADATA\b/)];
  if (data.length > 1 || metadata.length > 1) note(block.id, 'is between two profiles: a balance was not finished');
  return said({ data: data[0], metadata: metadata[0] });
}

const profile = (type: string) =>
  type
    .split('|')
    .find((word) => !['DATA', 'METADATA', 'SYSTEM'].includes(word))
    ?.toLowerCase() ?? 'single';

async function subvolumesOf(
  { machine, mounts, note }: Context,
  block: Block,
  devices: readonly Block[],
): Promise<Pick<FileSystem, 'subvolumes' | 'defaultSubvolume'>> {
  const sources = devices.flatMap(({ path, kname }) => [path, `/dev/${kname}`]);
  const mount = mounts.find(({ format, source }) => format === 'btrfs' && sources.includes(source));
  if (!mount) {
    note(block.id, 'is not mounted: its subvolumes are not known');
    return {};
  }
  const { stdout } = await machine.run('btrfs', ['subvolume', 'list', '-q', mount.target]);
  const all = [...stdout.matchAll(/ parent_uuid (\S+)\s+path (.*)$/gm)];
  const snapshots = all.filter(([, parent]) => parent !== '-');
  if (snapshots.length > 0)
    note(
      block.id,
      `has ${snapshots.length === 1 ? 'a snapshot, which is' : `${snapshots.length} snapshots, which are`} left out`,
    );
  const usual = await machine.run('btrfs', ['subvolume', 'get-default', mount.target]);
  const kept = all.flatMap(([, parent, path = '']) => (parent === '-' ? path : []));
  const [, defaultSubvolume] = / path (.*)$/m.exec(usual.stdout) ?? [];
  if (defaultSubvolume && !kept.includes(defaultSubvolume))
    note(block.id, `its default subvolume ${defaultSubvolume} is a snapshot`);
  return said({ subvolumes: kept.sort(), defaultSubvolume });
}
