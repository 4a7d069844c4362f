import { MindiError } from '../../contract/error.ts';
import { type Block, within } from './block.ts';
import type { BootImage } from './image.ts';

/** All that decides whether a disk may be written to. */
export interface DiskCase {
  /** What was named. */
  block: Block;
  /** The disk a partition is on, when one was named. */
  disk: Block | undefined;
  image: BootImage;
  removable: boolean;
  /** The file behind a loop device. */
  file: string | null;
  /** Device number of the file system the image lies on, as `8:17`. */
  imageOn: string;
  /** `busy`: another program has it for itself, whatever for. */
  access: 'free' | 'busy' | 'denied';
  force: boolean;
}

interface Refusal {
  code: string;
  message: string;
  hint?: string;
}

type Rule = (disk: DiskCase) => Refusal | false | undefined;

/** What a running system cannot do without. */
const SYSTEM = /^(\/|\/boot(\/efi)?|\/efi|\/usr|\/var|\/home|\[SWAP\])$/;
/** A whole disk, and a file that looks like one. */
const WHOLE = ['disk', 'loop'];

const RULES: readonly Rule[] = [
  ({ block, disk }) =>
    block.type === 'part' && {
      code: 'write.partition',
      message: `this is a partition${disk ? ` of ${disk.path}` : ''}, and machines start from whole disks`,
      hint: disk && `If you mean the whole disk, name ${disk.path}.`,
    },
  ({ block }) =>
    block.type !== 'part' &&
    !WHOLE.includes(block.type) && {
      code: 'write.not-a-disk',
      message: `this is made of other devices (${block.type}), and machines start from disks`,
      hint: '`lsblk` shows the disks of this machine.',
    },
  ({ block }) =>
    block.size === 0 && {
      code: 'write.no-medium',
      message: 'there is no medium in it',
      hint: 'Put the stick or the card in, and try again.',
    },
  ({ block }) =>
    block.ro && {
      code: 'write.read-only',
      message: 'it is read-only',
      hint: 'Move the switch on the card or stick. A stick without one that says so is worn out: take another.',
    },
  systemDisk,
  mounted,
  inUse,
  (disk) =>
    disk.access === 'busy' &&
    !(systemDisk(disk) || mounted(disk) || inUse(disk)) && {
      code: 'write.busy',
      message: 'another program or file system is using it',
      hint: `End what uses it: \`fuser -v ${disk.block.path}\` and \`lsblk\` may show it.`,
    },
  ({ access }) =>
    access === 'denied' && {
      code: 'write.denied',
      message: 'no permission to write to it',
      hint: 'Write as root, or as one whom the device belongs to.',
    },
  (disk) =>
    !(disk.removable || disk.force || systemDisk(disk)) && {
      code: 'write.fixed',
      message: 'it does not say that it is removable, so it may be a disk of this machine',
      hint: 'If it is the one you mean, say --force; you will be asked for its serial number.',
    },
  ({ block, image }) =>
    block.size > 0 &&
    image.size > block.size && {
      code: 'write.too-small',
      message: `the image needs ${image.size} bytes, and it has ${block.size}`,
      hint: 'Take a bigger one, or put less on the medium.',
    },
  ({ image }) =>
    !image.starts.includes('usb') && {
      code: 'write.disc-only',
      message: `${image.path} starts machines from a disc only: it has no boot sector for disks`,
      hint: 'Burn it on a disc, or build an image for sticks.',
    },
  ({ block, image, imageOn, file }) =>
    (file === image.path || [block, ...within(block)].some((one) => one['maj:min'] === imageOn)) && {
      code: 'write.image-on-target',
      message: `the image ${image.path} lies on it`,
      hint: 'Copy the image elsewhere first.',
    },
];

/** Why a disk must not be written to, all reasons. */
export function refusals(disk: DiskCase): MindiError[] {
  const found = RULES.map((rule) => rule(disk)).filter((refusal): refusal is Refusal => Boolean(refusal));
  return found.map(({ code, message, hint }) => new MindiError(message, { code, hint, where: disk.block.path }));
}

interface Mount {
  block: Block;
  at: string;
}

function mounts({ block }: DiskCase): Mount[] {
  return [block, ...within(block)].flatMap((one) =>
    one.mountpoints.flatMap((at) => (at === null ? [] : [{ block: one, at }])),
  );
}

function systemDisk(disk: DiskCase): Refusal | false {
  const system = mounts(disk).filter(({ at }) => SYSTEM.test(at));
  if (system.length === 0) return false;
  const places = system.map(({ block, at }) => (at === '[SWAP]' ? `swap on ${block.path}` : `${at} on ${block.path}`));
  return {
    code: 'write.system-disk',
    message: `this running system is on it: ${[...new Set(places)].join(', ')}`,
    hint: '`lsblk` shows the disks of this machine.',
  };
}

function mounted(disk: DiskCase): Refusal | false {
  const other = mounts(disk).filter(({ at }) => !SYSTEM.test(at));
  if (other.length === 0) return false;
  return {
    code: 'write.mounted',
    message: `it is mounted: ${other.map(({ block, at }) => `${block.path} on ${at}`).join(', ')}`,
    hint: `Unmount it first: ${other.map(({ at }) => `umount ${at}`).join('; ')}`,
  };
}

/** How to end what a volume is, by lsblk's name of its type. */
const RELEASE: readonly (readonly [RegExp, string])[] = [
  [/^lvm$/, 'vgchange --activate n'],
  [/^crypt$/, 'cryptsetup close'],
  [/^raid|^linear$|^md$/, 'mdadm --stop'],
  [/^mpath$/, 'multipath -f'],
  [/^loop$/, 'losetup --detach'],
];

function inUse({ block }: DiskCase): Refusal | false {
  const built = within(block).filter(({ type }) => type !== 'part');
  if (built.length === 0) return false;
  const ways = built.map(
    ({ type, path }) => `${RELEASE.find(([kind]) => kind.test(type))?.[1] ?? 'dmsetup remove'} ${path}`,
  );
  return {
    code: 'write.in-use',
    message: `it is part of ${built.map(({ type, path }) => `${path} (${type})`).join(', ')}`,
    hint: `End that first: ${[...ways].reverse().join('; ')}`,
  };
}
