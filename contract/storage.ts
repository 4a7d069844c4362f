/** What the rescue system knows of this machine's disks and of what is built on them. */
export interface StorageDevice {
  /** As people name it: `/dev/sda1`, `/dev/md0`, `/dev/mapper/vg-root`. */
  device: string;
  /** The kernel's name: `sda1`, `dm-0`. */
  name: string;
  /** `path`: a disk that is reached over several. */
  kind: 'disk' | 'partition' | 'array' | 'volume' | 'encrypted' | 'path' | 'mapped';
  /** Kernel's names of what it is a part of or is built on. */
  on: string[];
  bytes: number;
  /** Whether somebody asked that it may be written to. */
  writable: boolean;
  array: ArrayState | null;
  content: Content | null;
}

export interface ArrayState {
  /** `raid1`; `container` for a group of disks in the format of a controller or its firmware. */
  level: string;
  /** As mdadm names the metadata: `1.2`, `imsm`. */
  metadata: string;
  disks: number;
  missing: number;
  /** Whether it can be read. */
  active: boolean;
}

/** What blkid says is on a device. */
export interface Content {
  /** `ext4`, `LVM2_member`, `linux_raid_member`, `crypto_LUKS`. */
  type: string;
  uuid: string;
  label: string;
  partitionUuid: string;
  partitionLabel: string;
}

/** In short, for the ready report. Devices as people name them. */
export interface StorageReport {
  arrays: { device: string; level: string; disks: number; missing: number }[];
  volumes: string[];
  encrypted: { device: string; open: boolean }[];
  /** Disks that do not answer: nothing was tried with them any more. */
  silent: string[];
}

export function storageReport(devices: readonly StorageDevice[], silent: readonly string[]): StorageReport {
  const of = (kind: StorageDevice['kind']) => devices.filter((one) => one.kind === kind);
  const open = new Set(of('encrypted').flatMap(({ on }) => on));
  return {
    arrays: of('array').map(({ device, array }) => ({
      device,
      level: array?.level ?? '',
      disks: array?.disks ?? 0,
      missing: array?.missing ?? 0,
    })),
    volumes: of('volume').map(({ device }) => device),
    encrypted: devices
      .filter(({ content }) => content?.type === 'crypto_LUKS')
      .map(({ device, name }) => ({ device, open: open.has(name) })),
    silent: [...silent],
  };
}

/** A line for each thing worth knowing: `md0 raid1, 1 of 2 disks missing`. */
export function storageLines({ arrays, volumes, encrypted, silent }: StorageReport): string[] {
  return [
    ...arrays.map(
      ({ device, level, disks, missing }) =>
        `${short(device)}  ${level}${missing > 0 ? `, DEGRADED: ${missing} of ${disks} disks missing` : ''}`,
    ),
    ...[...Map.groupBy(volumes, groupOf)].map(([group, some]) => `LVM ${group}: ${some.map(volumeOf).join(', ')}`),
    ...encrypted.map(({ device, open }) =>
      open
        ? `${short(device)}  encrypted, open`
        : `${short(device)}  encrypted, locked: mindi storage unlock ${device}`,
    ),
    ...silent.map((device) => `${short(device)}  DOES NOT ANSWER`),
  ];
}

const short = (device: string) => device.replace(/^\/dev\//, '');

/** Volumes are named /dev/GROUP/VOLUME. */
const groupOf = (device: string) => device.split('/')[2] ?? '';
const volumeOf = (device: string) => device.split('/')[3] ?? '';
