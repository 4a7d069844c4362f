import type { LayoutEntry } from '../../contract/machine-record.ts';
import { MOUNTPOINT_WORDS } from '../../contract/mountlist.ts';
import { mountlistOf } from '../mountlist/capture.ts';
import type { BlockDevice } from '../mountlist/devices.ts';
import type { HostFacts } from '../mountlist/facts.ts';
import { findDevice, type Host, understand } from '../mountlist/host.ts';

interface Part {
  device: BlockDevice;
  format: string;
  mountpoints: string[];
}

/**
 * The layout as it is meant, not as it is at the moment: what fstab names, the root, and what these lie on. Left out is
 * what comes and goes: sticks, what somebody mounted by hand, snaps and containers, and the order of devices.
 */
export function layoutOf(facts: HostFacts): LayoutEntry[] {
  const host = understand(facts);
  const planned = plannedParts(host);
  const below = layerParts(facts, host, new Set(planned.keys()));
  const groups = Map.groupBy([...planned.values(), ...below], ({ device, mountpoints }) =>
    identityOf(device, mountpoints),
  );
  return [...groups]
    .map(([identity, parts]) => ({
      identity,
      format: parts[0]?.format ?? '',
      mountpoints: mountpointsOf(parts),
      sizes: parts.map(({ device }) => device.size).sort((one, other) => one - other),
    }))
    .sort((one, other) => (one.identity < other.identity ? -1 : 1));
}

/** Of several devices of one btrfs fstab names the first; its word for the others tells nothing. */
function mountpointsOf(parts: readonly Part[]): string[] {
  const all = [...new Set(parts.flatMap(({ mountpoints }) => mountpoints))].sort();
  const places = all.filter((one) => one !== 'btrfs');
  return places.length > 0 ? places : all;
}

/** By device, with all places fstab has for it (subvolumes). */
function plannedParts(host: Host): Map<BlockDevice, Part> {
  const parts = new Map<BlockDevice, Part>();
  const add = (device: BlockDevice, format: string, mountpoint: string) => {
    const part = parts.get(device) ?? { device, format: device.format ?? format, mountpoints: [] };
    parts.set(device, { ...part, mountpoints: [...new Set([...part.mountpoints, mountpoint])] });
  };
  for (const { device, options, format, target } of host.fstab) {
    const comesAndGoes = device?.portable && options.some((option) => option === 'noauto' || option === 'nofail');
    if (device && !comesAndGoes) add(device, format, format === 'swap' ? 'swap' : target);
  }
  for (const { device, target, format } of host.mounts) if (device && target === '/') add(device, format, '/');
  return parts;
}

/** Of the mountlist's words: what carries the planned ones. */
function layerParts(facts: HostFacts, host: Host, planned: ReadonlySet<BlockDevice>): Part[] {
  return mountlistOf(facts).mountlist.entries.flatMap(({ device: path, mountpoint, format }) => {
    const device = findDevice(host, path);
    if (!device || planned.has(device) || !(mountpoint in MOUNTPOINT_WORDS) || mountpoint === 'swap') return [];
    const wanted =
      mountpoint === 'biosboot' ? device.parents.some((disk) => carries(disk, planned)) : carries(device, planned);
    const shared = mountpoint === 'btrfs' && [...planned].some(({ uuid }) => uuid !== null && uuid === device.uuid);
    return wanted || shared ? [{ device, format, mountpoints: [mountpoint] }] : [];
  });
}

function carries(device: BlockDevice, planned: ReadonlySet<BlockDevice>): boolean {
  return device.children.some((child) => planned.has(child) || carries(child, planned));
}

function identityOf({ uuid, partUuid }: BlockDevice, mountpoints: readonly string[]): string {
  if (uuid) return `uuid ${uuid.toLowerCase()}`;
  if (partUuid) return `partuuid ${partUuid.toLowerCase()}`;
  return `mountpoint ${mountpoints[0]}`;
}
