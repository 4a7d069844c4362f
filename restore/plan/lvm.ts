import type { Group, Layout, PhysicalVolume, Volume } from '../../contract/layout/schema.ts';
import { options, type Step } from './step.ts';

const bytes = (size: number | undefined) => (size === undefined ? undefined : `${size}b`);

export function physicalSteps(layout: Layout, id: string, node: (id: string) => string): Step[] {
  const { uuid, dataStart, metadataCopies } = layout.physicalVolumes[id] as PhysicalVolume;
  const argv = [
    ...['pvcreate', '--quiet', '--yes', '--force', '--force'],
    ...(uuid ? ['--uuid', uuid, '--norestorefile'] : []),
    ...options({ '--dataalignment': bytes(dataStart), '--metadatacopies': metadataCopies }),
    node(id),
  ];
  return [{ kind: 'physical', device: id, argv }];
}

export function groupSteps(layout: Layout, name: string, node: (id: string) => string): Step[] {
  const { extentSize, maxVolumes, maxPhysicalVolumes, tags = [] } = layout.groups[name] as Group;
  const members = Object.entries(layout.physicalVolumes).flatMap(([id, { group }]) => (group === name ? [id] : []));
  const argv = [
    ...['vgcreate', '--quiet', '--yes'],
    ...options({
      '--physicalextentsize': bytes(extentSize),
      '--maxlogicalvolumes': maxVolumes,
      '--maxphysicalvolumes': maxPhysicalVolumes,
    }),
    ...tags.flatMap((tag) => ['--addtag', tag]),
    name,
    ...members.map(node),
  ];
  return [{ kind: 'group', device: name, argv, undo: ['vgremove', '--quiet', '--yes', '--force', name] }];
}

export function volumeSteps(layout: Layout, id: string, node: (id: string) => string): Step[] {
  const volume = layout.volumes[id] as Volume;
  const { group, kind = 'linear', size, pool, on = [], tags = [], zero } = volume;
  const name = id.slice(group.length + 1);
  const argv = [
    ...['lvcreate', '--quiet', '--yes', '--name', name, '--type', kind],
    // What old blocks hold must not look like a file system; thin volumes have none.
    ...(kind === 'thin' || kind === 'thin-pool' ? [] : ['--wipesignatures', 'y']),
    ...(kind === 'thin'
      ? options({ '--virtualsize': bytes(size), '--thinpool': pool?.slice(group.length + 1) })
      : size === undefined
        ? ['--extents', '100%FREE']
        : ['--size', `${size}b`]),
    ...options({
      '--stripes': volume.stripes,
      '--stripesize': bytes(volume.stripeSize),
      '--mirrors': volume.mirrors,
      '--regionsize': bytes(volume.regionSize),
      '--chunksize': bytes(volume.chunk),
      '--poolmetadatasize': bytes(volume.metadataSize),
      '--discards': volume.discards,
      '--zero': zero === false ? 'n' : undefined,
    }),
    ...tags.flatMap((tag) => ['--addtag', tag]),
    group,
    ...on.map(node),
  ];
  const makes = kind === 'thin-pool' ? {} : { makes: [node(id)] };
  return [{ kind: 'volume', device: id, argv, ...makes, undo: removal(id) }, ...cacheSteps(id, volume, node)];
}

const removal = (id: string) => ['lvremove', '--quiet', '--yes', '--force', id];

function cacheSteps(id: string, { group, cache }: Volume, node: (id: string) => string): Step[] {
  if (!cache) return [];
  const { name, size, pool, chunk, mode, policy, on = [] } = cache;
  const make = [
    ...['lvcreate', '--quiet', '--yes', '--name', name, '--type', pool ? 'cache-pool' : 'linear'],
    ...['--size', `${size}b`, group, ...on.map(node)],
  ];
  const join = [
    ...['lvconvert', '--quiet', '--yes', '--type', 'cache', pool ? '--cachepool' : '--cachevol', name],
    ...options({ '--chunksize': bytes(chunk), '--cachemode': mode, '--cachepolicy': policy }),
    id,
  ];
  return [
    { kind: 'volume', device: id, argv: make, undo: removal(`${group}/${name}`) },
    { kind: 'volume', device: id, argv: join },
  ];
}

/** What can only be done when the data are back. */
export function finishingSteps(layout: Layout): Step[] {
  return Object.entries(layout.volumes).flatMap(([id, { readOnly }]): Step[] =>
    readOnly ? [{ kind: 'volume', device: id, argv: ['lvchange', '--quiet', '--permission', 'r', id] }] : [],
  );
}
