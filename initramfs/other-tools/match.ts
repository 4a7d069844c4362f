import { basename } from 'node:path';
import type { MountlistEntry } from '../../contract/mountlist.ts';
import type { StorageDevice } from '../../contract/storage.ts';
import { volumeName } from '../storage/block-devices.ts';

/** A file system of the mountlist, and the device that has it now. */
export interface Match {
  entry: MountlistEntry;
  device: StorageDevice;
}

export interface Matches {
  /** In the order they are mounted: what is below comes first. */
  found: Match[];
  /** What is not there or cannot be told apart, and why: a sentence. */
  missing: { entry: MountlistEntry; why: string }[];
}

/**
 * Finds the file systems of a mountlist on the devices of this machine: by UUID, else by label, else by the name of a
 * volume or array. Names of disks are an accident of each boot and mean nothing.
 */
export function matchMountlist(entries: readonly MountlistEntry[], devices: readonly StorageDevice[]): Matches {
  const wanted = mountable(entries);
  const result: Matches = { found: [], missing: [] };
  for (const entry of wanted.toSorted((one, other) => depth(one) - depth(other))) {
    const candidates = matching(entry, devices);
    const [device] = candidates;
    // All devices of a btrfs carry its UUID, and any of them mounts it.
    if (device && (candidates.length === 1 || entry.format === 'btrfs')) result.found.push({ entry, device });
    else result.missing.push({ entry, why: device ? ambiguous(entry, candidates) : absent(entry, devices) });
  }
  return result;
}

/** Those that are mounted somewhere: no swap, no arrays and volumes that hold others. */
export function mountable(entries: readonly MountlistEntry[]): MountlistEntry[] {
  return entries.filter(({ mountpoint }) => mountpoint.startsWith('/'));
}

const depth = ({ mountpoint }: MountlistEntry) => mountpoint.split('/').filter(Boolean).length;

function matching(entry: MountlistEntry, devices: readonly StorageDevice[]): StorageDevice[] {
  const holding = devices.filter(({ content }) => content?.type === entry.format);
  const byUuid = entry.uuid ? holding.filter(({ content }) => content?.uuid === entry.uuid) : [];
  if (byUuid.length > 0) return byUuid;
  if (entry.label) return holding.filter(({ content }) => content?.label === entry.label);
  return entry.uuid ? [] : holding.filter((device) => isNamed(device, entry.device));
}

/** `/dev/mapper/vg-home` is `/dev/vg/home`. */
function isNamed({ device, kind }: StorageDevice, name: string): boolean {
  if (!['array', 'volume', 'encrypted'].includes(kind)) return false;
  const volume = kind === 'volume' && name.startsWith('/dev/mapper/') ? volumeName(basename(name)) : null;
  return device === (volume ? `/dev/${volume.group}/${volume.volume}` : name);
}

/** `/home (ext4, UUID 1234-…)` */
export function described({ mountpoint, format, uuid, label, device }: MountlistEntry): string {
  return `${mountpoint} (${format}, ${uuid ? `UUID ${uuid}` : label ? `label ${label}` : device})`;
}

function absent(entry: MountlistEntry, devices: readonly StorageDevice[]): string {
  const open = new Set(devices.filter(({ kind }) => kind === 'encrypted').flatMap(({ on }) => on));
  const locked = devices.filter(({ content, name }) => content?.type === 'crypto_LUKS' && !open.has(name));
  const hint =
    locked.length > 0 ? ` It may be on ${names(locked)}, locked by LUKS: mindi storage unlock opens it.` : '';
  return `The file system for ${described(entry)} was not found on any disk.${hint}`;
}

function ambiguous(entry: MountlistEntry, candidates: readonly StorageDevice[]): string {
  const hint = 'The boot parameter excludedevs= hides a disk.';
  return `The file system for ${described(entry)} was found more than once: ${names(candidates)}. ${hint}`;
}

const names = (devices: readonly StorageDevice[]) => devices.map(({ device }) => device).join(' and ');
