import { XFS_FEATURES } from '../../contract/layout/filesystems.ts';
import { entry } from '../../contract/layout/graph.ts';
import type { FileSystem, Layout } from '../../contract/layout/schema.ts';
import { options, type Step } from './step.ts';

type Programs = readonly string[][];

/** The programs that make a file system, in order. */
const MAKE: Record<string, (fs: FileSystem, nodes: string[]) => Programs> = {
  ext2: ext,
  ext3: ext,
  ext4: ext,
  xfs,
  btrfs,
  vfat,
  exfat: ({ label, uuid, clusterSize }, [node = '']) => [
    ['mkfs.exfat', '--quiet', ...options({ '--cluster-size': clusterSize, '--volume-label': label }), node],
    ...(uuid ? [['exfatlabel', '-i', node, `0x${uuid.replace('-', '')}`]] : []),
  ],
  ntfs: ({ label, uuid, sectorSize, clusterSize }, [node = '']) => [
    [
      ...['mkntfs', '--quiet', '--fast', '--force'],
      ...options({ '--label': label, '--sector-size': sectorSize, '--cluster-size': clusterSize }),
      node,
    ],
    ...(uuid ? [['ntfslabel', `--new-serial=${uuid}`, node]] : []),
  ],
  f2fs: ({ label, uuid }, [node = '']) => [['mkfs.f2fs', '-q', '-f', ...options({ '-l': label, '-U': uuid }), node]],
  jfs: ({ label, uuid }, [node = '']) => [
    ['mkfs.jfs', '-q', ...options({ '-L': label }), node],
    ...(uuid ? [['jfs_tune', '-U', uuid, node]] : []),
  ],
  reiserfs: ({ label, uuid, blockSize }, [node = '']) => [
    ['mkreiserfs', '-q', '-f', '-f', ...options({ '--label': label, '--uuid': uuid, '--block-size': blockSize }), node],
  ],
  nilfs2: ({ label, uuid, blockSize }, [node = '']) => [
    ['mkfs.nilfs2', '-q', '-f', ...options({ '-L': label, '-b': blockSize }), node],
    ...(uuid ? [['nilfs-tune', '-f', '-U', uuid, node]] : []),
  ],
  swap: ({ label, uuid }, [node = '']) => [
    ['mkswap', '--force', ...options({ '--label': label, '--uuid': uuid }), node],
  ],
};

export function filesystemSteps(layout: Layout, id: string, node: (id: string) => string): Step[] {
  const filesystem = entry(layout.filesystems, id) as FileSystem;
  const nodes = [id, ...(filesystem.devices ?? [])].map(node);
  const programs = MAKE[filesystem.type]?.(filesystem, nodes) ?? [];
  return [
    ...programs.map((argv): Step => ({ kind: 'filesystem', device: id, argv })),
    ...subvolumeSteps(id, filesystem, nodes[0] ?? ''),
  ];
}

function ext(filesystem: FileSystem, [node = '']: string[]): Programs {
  const { type, features, stride, stripeWidth, journalSize, reservedBlocks, mountDefaults } = filesystem;
  const extended = [stride && `stride=${stride}`, stripeWidth && `stripe_width=${stripeWidth}`].filter(Boolean);
  const make = [
    ...['mke2fs', '-q', '-F', '-t', type],
    ...options({
      '-b': filesystem.blockSize,
      '-C': filesystem.clusterSize,
      '-I': filesystem.inodeSize,
      '-N': filesystem.inodes,
      // What is on is all that is on: the defaults of the new system's mke2fs.conf may be others.
      '-O': features && ['none', ...features].join(','),
      '-J': journalSize === undefined ? undefined : `size=${Math.max(1, Math.floor(journalSize / 2 ** 20))}`,
      '-E': extended.length > 0 ? extended.join(',') : undefined,
      '-L': filesystem.label,
      '-U': filesystem.uuid,
    }),
    node,
  ];
  const tuned = options({ '-r': reservedBlocks, '-o': mountDefaults?.join(',') });
  return [make, ...(tuned.length > 0 ? [['tune2fs', ...tuned, node]] : [])];
}

function xfs(filesystem: FileSystem, [node = '']: string[]): Programs {
  const { blockSize, sectorSize, inodeSize, features = [], journalSize, stripeUnit, stripeCount = 1 } = filesystem;
  const switches = (option: '-m' | '-i') =>
    features.flatMap((feature) => {
      const name = feature.replace(/^\^/, '');
      return XFS_FEATURES[name] === option ? `${name}=${feature === name ? 1 : 0}` : [];
    });
  const joined = (words: (string | false | undefined)[]) => words.filter(Boolean).join(',') || undefined;
  return [
    [
      ...['mkfs.xfs', '-q', '-f'],
      ...options({
        '-b': blockSize && `size=${blockSize}`,
        '-s': sectorSize && `size=${sectorSize}`,
        '-i': joined([inodeSize && `size=${inodeSize}`, ...switches('-i')].map((word) => word || undefined)),
        '-m': joined([...switches('-m'), filesystem.uuid && `uuid=${filesystem.uuid}`]),
        '-d': joined([
          filesystem.allocationGroups !== undefined && `agcount=${filesystem.allocationGroups}`,
          stripeUnit !== undefined && `su=${stripeUnit},sw=${stripeCount}`,
        ]),
        '-l': journalSize && `size=${journalSize}`,
        '-L': filesystem.label,
      }),
      node,
    ],
  ];
}

function btrfs(filesystem: FileSystem, nodes: string[]): Programs {
  const { data, metadata, features = [] } = filesystem;
  return [
    [
      ...['mkfs.btrfs', '--quiet', '--force'],
      ...options({
        '--sectorsize': filesystem.sectorSize,
        '--nodesize': filesystem.nodeSize,
        '--data': data,
        '--metadata': metadata,
        '--checksum': filesystem.checksum,
        '--features': features.length > 0 ? features.join(',') : undefined,
        '--label': filesystem.label,
        '--uuid': filesystem.uuid,
      }),
      ...nodes,
    ],
  ];
}

function vfat(filesystem: FileSystem, [node = '']: string[]): Programs {
  const { fatBits, sectorSize = 512, clusterSize, uuid, label } = filesystem;
  return [
    [
      // -I: also on a whole disk.
      ...['mkfs.vfat', '-I'],
      ...options({
        '-F': fatBits,
        '-S': filesystem.sectorSize,
        '-s': clusterSize && clusterSize / sectorSize,
        '-i': uuid?.replace('-', ''),
        '-n': label,
      }),
      node,
    ],
  ];
}

/** Where a btrfs is mounted while its subvolumes are made. */
const WORKPLACE = '/run/mindi/subvolumes';

function subvolumeSteps(device: string, filesystem: FileSystem, node: string): Step[] {
  const { subvolumes = [], defaultSubvolume } = filesystem;
  if (subvolumes.length === 0) return [];
  const step = (...argv: string[]): Step => ({ kind: 'subvolume', device, argv });
  const place = (path: string) => `${WORKPLACE}/${path}`;
  return [
    step('mkdir', '-p', WORKPLACE),
    {
      ...step('mount', '-t', 'btrfs', '-o', 'subvolid=5', node, WORKPLACE),
      ...{ holds: { mount: WORKPLACE }, undo: ['umount', WORKPLACE] },
    },
    // Sorted, so that what holds others comes first.
    ...subvolumes
      .toSorted()
      .flatMap((path) => [
        ...(path.includes('/') ? [step('mkdir', '-p', place(path.slice(0, path.lastIndexOf('/'))))] : []),
        { ...step('btrfs', 'subvolume', 'create', place(path)), undo: ['btrfs', 'subvolume', 'delete', place(path)] },
      ]),
    ...(defaultSubvolume ? [step('btrfs', 'subvolume', 'set-default', place(defaultSubvolume))] : []),
    step('umount', WORKPLACE),
  ];
}
