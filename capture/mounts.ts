import type { FileSystem } from '../contract/layout/schema.ts';
import type { FstabLine } from '../contract/mounts.ts';
import type { Block } from './block.ts';
import { blockAt, type Context, said } from './context.ts';

type Mounted = NonNullable<FileSystem['mounts']>[number];

/** Where file systems are mounted: as fstab says, else as they are now. And swap files. */
export async function captureMounts(context: Context): Promise<void> {
  const { layout, fstab, mounts } = context;
  const planned = fstab.filter(({ target }) => target.startsWith('/'));
  for (const line of planned) {
    const id = filesystemOf(context, blockOfSpec(context, line.spec));
    if (id) add(context, id, mountOf(line));
  }
  for (const { source, target, format, subvolume } of mounts) {
    const id = filesystemOf(context, blockAt(context, source));
    if (!id || (PASSING.test(target) && !context.everywhere)) continue;
    const path = subvolume?.replace(/^\//, '');
    if (layout.filesystems[id]?.mounts?.some(({ at }) => at === target)) continue;
    add(context, id, said({ at: target, subvolume: format === 'btrfs' ? path : undefined }));
  }
  await captureSwaps(context);
}

/** Where somebody looks at a disk for a while, and the rescue system's own. */
const PASSING = /^\/(?:media|run|mnt)(?:\/|$)/;

function add({ layout, note }: Context, id: string, mount: Mounted): void {
  const filesystem = layout.filesystems[id] as FileSystem;
  const other = Object.entries(layout.filesystems).find(([, { mounts = [] }]) =>
    mounts.some(({ at }) => at === mount.at),
  );
  if (other) note(id, `is mounted at ${mount.at} as ${other[0]} is`);
  else filesystem.mounts = [...(filesystem.mounts ?? []), mount];
}

function mountOf({ target, options }: FstabLine): Mounted {
  const subvolume = options.find((option) => option.startsWith('subvol='))?.slice('subvol='.length);
  const others = options.filter((option) => option !== 'defaults' && !option.startsWith('subvol='));
  return said({ at: target, options: others.join(','), subvolume: subvolume?.replace(/^\//, '') });
}

/** The id of the file system on a block: of a btrfs that of its first device. */
function filesystemOf({ layout }: Context, block: Block | undefined): string | undefined {
  if (!block) return undefined;
  if (Object.hasOwn(layout.filesystems, block.id)) return block.id;
  return Object.entries(layout.filesystems).find(([, { devices }]) => devices?.includes(block.id))?.[0];
}

/** fstab(5): `UUID=`, `LABEL=`, `/dev/disk/by-…` or the device. */
function blockOfSpec(context: Context, spec: string): Block | undefined {
  const direct = blockAt(context, spec) ?? context.blocks.find(({ id }) => spec === `/dev/${id}`);
  const [, kind = '', value = ''] = /^(?:\/dev\/disk\/by-)?(uuid|label|partuuid|partlabel)[=/](.*)$/i.exec(spec) ?? [];
  if (direct || !kind) return direct;
  const wanted = value.toLowerCase();
  const { partitions } = context.layout;
  const is: Record<string, (block: Block) => boolean> = {
    uuid: ({ uuid, content }) => uuid.toLowerCase() === wanted && !content.endsWith('_member'),
    label: ({ label }) => label === value,
    partuuid: ({ id }) => partitions[id]?.uuid?.toLowerCase() === wanted,
    partlabel: ({ id }) => partitions[id]?.name === value,
  };
  return context.blocks.find(is[kind.toLowerCase()] ?? (() => false));
}

async function captureSwaps(context: Context): Promise<void> {
  const { machine, layout, fstab, swapping } = context;
  const swaps = (await machine.read('/proc/swaps')) ?? '';
  for (const line of swaps.split('\n')) {
    const [path = '', type, kibibytes] = line.split(/\s+/);
    const area = type === 'partition' ? blockAt(context, path) : undefined;
    if (area) swapping.push(area.id);
    if (type !== 'file') continue;
    const options = fstab.find(({ spec }) => spec === path)?.options.join(',');
    // The kernel leaves out the page that is the header.
    const size = (Number(kibibytes) + 4) * 1024;
    layout.swapFiles[path] = said({ size, options: options === 'defaults' || options === 'sw' ? '' : options });
  }
}
