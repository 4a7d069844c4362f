import type { StorageDevice } from '../../contract/storage.ts';
import { sizeText } from '../size-text.ts';

/** Disks and what is built on them, a line each, indented below what they are on. */
export function storageTree(devices: readonly StorageDevice[]): string[] {
  const shown = new Set<string>();
  const branch = (device: StorageDevice, depth: number): string[] => {
    const again = shown.has(device.name);
    shown.add(device.name);
    const above = devices.filter(({ on }) => on.includes(device.name));
    return [line(device, depth, again), ...(again ? [] : above.flatMap((one) => branch(one, depth + 1)))];
  };
  return devices.filter(({ on }) => on.length === 0).flatMap((one) => branch(one, 0));
}

function line(device: StorageDevice, depth: number, again: boolean): string {
  const name = `${'  '.repeat(depth)}${device.device.replace(/^\/dev\//, '')}`;
  const words = again ? ['see above'] : [sizeText(device.bytes), ...facts(device)];
  return `${name.padEnd(30)} ${words.filter(Boolean).join('  ')}`.trimEnd();
}

/** blkid's words for what people call otherwise. */
const TYPES: Record<string, string> = {
  LVM2_member: 'LVM',
  crypto_LUKS: 'LUKS',
  linux_raid_member: 'RAID member',
  isw_raid_member: 'RAID member (Intel firmware)',
  ddf_raid_member: 'RAID member (DDF firmware)',
};

function facts({ kind, array, content, on, writable }: StorageDevice): string[] {
  const type = content?.type ?? '';
  return [
    array ? arrayText(array) : '',
    TYPES[type] ?? type,
    content?.label && kind !== 'disk' ? `"${content.label}"` : '',
    kind === 'path' ? 'several paths' : '',
    kind === 'encrypted' && on.length > 0 ? 'unlocked' : '',
    writable ? 'WRITABLE' : '',
  ];
}

function arrayText({ level, metadata, disks, missing, active }: NonNullable<StorageDevice['array']>): string {
  if (level === 'container') return `${metadata} container of ${disks} disks`;
  const state = missing > 0 ? `DEGRADED, ${missing} of ${disks} disks missing` : `${disks} disks`;
  return `${level} ${active ? state : 'NOT STARTED'}`;
}
