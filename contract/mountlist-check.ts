import { MOUNTPOINT_WORDS, type Mountlist, type MountlistEntry, type MountlistProblem } from './mountlist.ts';

/** Filesystems and layers a restore can make again; numbers are partition types of images. */
const RESTORABLE = new Set([
  ...['ext2', 'ext3', 'ext4', 'reiserfs', 'xfs', 'jfs', 'btrfs', 'vfat', 'f2fs', 'ntfs'],
  ...['swap', 'lvm', 'raid', 'luks', 'biosboot'],
]);

/** Below this the original called a partition "tiny!". KiB. */
const TINY = 8192;

/** What the mountlist alone tells of itself: both sides of the boot ask, the host adds what only it can know. */
export function checkEntries(mountlist: Mountlist): MountlistProblem[] {
  const { entries } = mountlist;
  return [...entries.flatMap(checkEntry), ...checkDuplicates(entries), ...checkRoot(entries)];
}

function checkEntry(entry: MountlistEntry): MountlistProblem[] {
  return [checkMountpoint(entry), checkFormat(entry), checkSize(entry), checkIdentity(entry), checkText(entry)].filter(
    (problem) => problem !== undefined,
  );
}

function checkMountpoint(entry: MountlistEntry): MountlistProblem | undefined {
  const { mountpoint } = entry;
  if (Object.hasOwn(MOUNTPOINT_WORDS, mountpoint)) return undefined;
  if (mountpoint.startsWith('/') && !mountpoint.split('/').includes('..')) return undefined;
  return problem(entry, 'mountpoint.weird', `weird mountpoint ${mountpoint}`, {
    hint: `A mountpoint is an absolute path or one of ${Object.keys(MOUNTPOINT_WORDS).join(', ')}.`,
  });
}

function checkFormat(entry: MountlistEntry): MountlistProblem | undefined {
  const { format, mountpoint } = entry;
  if (mountpoint === 'image' ? /^\d+$/.test(format) : RESTORABLE.has(format)) return undefined;
  const what =
    mountpoint === 'image' ? `an image needs a partition type number, not ${format}` : `unsupported format ${format}`;
  return problem(entry, 'format.unknown', what, {
    hint: `mindi can make ${[...RESTORABLE].join(', ')} again. Back up anything else by the tool that made it.`,
  });
}

function checkSize(entry: MountlistEntry): MountlistProblem | undefined {
  const { size } = entry;
  if (size === 'lvm' || size >= TINY || ['biosboot', 'image'].includes(entry.mountpoint)) return undefined;
  return problem(entry, 'size.tiny', `${entry.device} is tiny! (${size} KiB)`, {
    hint: 'Sizes are in KiB. Make it larger, or leave the line out.',
  });
}

/** Names of device-mapper and md devices live in their own metadata; the name of a disk is an accident of this boot. */
function checkIdentity(entry: MountlistEntry): MountlistProblem | undefined {
  if (entry.uuid || entry.label || ['biosboot', 'image', 'raid'].includes(entry.mountpoint)) return undefined;
  if (/^\/dev\/(?:mapper\/|md)/.test(entry.device)) return undefined;
  return problem(
    entry,
    'identity.none',
    `only its name tells ${entry.device} from another device: no label and no UUID`,
    {
      hint: 'Read it as root; if it has none, give it one (tune2fs -U random, xfs_admin -U generate, swaplabel -U).',
    },
  );
}

function checkText(entry: MountlistEntry): MountlistProblem | undefined {
  const { device, mountpoint, label } = entry;
  const broken = [device, mountpoint, label].find((text) => text?.includes('\uFFFD'));
  if (broken === undefined) return undefined;
  return problem(entry, 'text.encoding', `${broken} holds bytes that are no UTF-8 and would not come back the same`, {
    hint: 'Rename it in UTF-8.',
  });
}

function checkDuplicates(entries: readonly MountlistEntry[]): MountlistProblem[] {
  return [
    ...repeated(entries, (entry) => entry.device).map(([entry, first]) =>
      problem(
        entry,
        'device.duplicate',
        `${entry.device} is listed for ${first.mountpoint} and for ${entry.mountpoint}`,
        {
          hint: 'One device has one line: leave one out.',
        },
      ),
    ),
    ...repeated(entries, (entry) => (entry.mountpoint.startsWith('/') ? entry.mountpoint : undefined)).map(
      ([entry, first]) =>
        problem(
          entry,
          'mountpoint.duplicate',
          `${entry.mountpoint} is the mountpoint of ${first.device} and of ${entry.device}`,
          {
            hint: 'Only one can be mounted there: leave one out, or correct /etc/fstab.',
          },
        ),
    ),
    ...repeated(entries, identity).map(([entry, first]) =>
      problem(entry, 'uuid.duplicate', `${first.device} and ${entry.device} have the same UUID ${entry.uuid}`, {
        hint: 'One is a copy of the other: give one a new UUID.',
      }),
    ),
  ];
}

/** All members of an array and all devices of a btrfs carry the UUID of the whole. */
function identity(entry: MountlistEntry): string | undefined {
  return ['raid', 'btrfs', 'zfs', 'bcache'].includes(entry.mountpoint) ? undefined : entry.uuid;
}

/** Entries whose key an entry for another line had before, with that first one. The same device twice counts once. */
function repeated(
  entries: readonly MountlistEntry[],
  keyOf: (entry: MountlistEntry) => string | undefined,
): [MountlistEntry, MountlistEntry][] {
  const firsts = new Map<string, MountlistEntry>();
  const found: [MountlistEntry, MountlistEntry][] = [];
  for (const entry of entries) {
    const key = keyOf(entry);
    if (key === undefined) continue;
    const first = firsts.get(key);
    if (!first) firsts.set(key, entry);
    else if (first.device !== entry.device || key === entry.device) found.push([entry, first]);
  }
  return found;
}

function checkRoot(entries: readonly MountlistEntry[]): MountlistProblem[] {
  if (entries.some((entry) => entry.mountpoint === '/')) return [];
  return [
    {
      device: '-',
      mountpoint: '/',
      code: 'root.missing',
      message: 'no device is mounted on /',
      hint: 'In a container or a live system the root is no disk of its own: run mindi on the machine itself.',
    },
  ];
}

function problem(entry: MountlistEntry, code: string, message: string, { hint }: { hint: string }): MountlistProblem {
  return { device: entry.device, mountpoint: entry.mountpoint, code, message, hint };
}
