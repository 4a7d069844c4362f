import type { Mountlist, MountlistProblem } from '../../contract/mountlist.ts';
import { checkEntries } from '../../contract/mountlist-check.ts';
import { isLasting } from './capture.ts';
import type { BlockDevice, LogicalVolume } from './devices.ts';
import type { HostFacts } from './facts.ts';
import { findDevice, type Host, isPath, understand } from './host.ts';

/** What in the mountlist could not be restored, and what of this machine it does not hold. Empty: all can be. */
export function checkMountlist(mountlist: Mountlist, facts: HostFacts): MountlistProblem[] {
  const host = understand(facts);
  return [
    ...checkEntries(mountlist),
    ...absentDevices(mountlist, host),
    ...overAllocated(mountlist, host),
    ...leftOut(mountlist, host),
    ...fstabWithoutDevice(host),
    ...subvolumes(host),
    ...volumes(host),
    ...arrays(host),
  ];
}

function absentDevices(mountlist: Mountlist, host: Host): MountlistProblem[] {
  if (host.devices.length === 0) return [];
  return mountlist.entries
    .filter((entry) => !findDevice(host, entry.device))
    .map(({ device, mountpoint }) => ({
      device,
      mountpoint,
      code: 'device.absent',
      message: `${device} does not exist on this machine`,
      hint: 'Correct the name, or capture the mountlist again.',
    }));
}

function overAllocated(mountlist: Mountlist, host: Host): MountlistProblem[] {
  const used = new Map<BlockDevice, number>();
  for (const entry of mountlist.entries) {
    const device = findDevice(host, entry.device);
    const disk = device?.type === 'part' ? device.parents[0] : undefined;
    if (disk && entry.size !== 'lvm') used.set(disk, (used.get(disk) ?? 0) + entry.size);
  }
  return [...used]
    .filter(([disk, size]) => size > disk.size)
    .map(([disk, size]) => ({
      device: disk.path,
      code: 'size.over-allocated',
      message: `${Math.ceil((size - disk.size) / 1024)} MB over-allocated on ${disk.path}`,
      hint: 'Make its partitions smaller; sizes are in KiB.',
    }));
}

/** GPT and MBR types of partitions which hold nothing: extended (a frame for logical ones), Microsoft reserved. */
const EMPTY_TYPES = new Set(['0x5', '0xf', '0x85', 'e3c9e316-0b5c-4db8-817d-f92df00215ae']);

/** Devices on disks the restore would write which no line covers: what is on them would be gone. */
function leftOut(mountlist: Mountlist, host: Host): MountlistProblem[] {
  const listed = new Set(mountlist.entries.map((entry) => findDevice(host, entry.device)));
  const special = new Set(host.logicalVolumes.filter(specialKind).map((volume) => volume.path));
  const disks = new Set([...listed].flatMap((device) => (device ? rootsOf(device) : [])));
  return host.devices
    .filter(
      (device) => device.children.length === 0 && device.parents.length > 0 && device.size > 0 && isLasting(device),
    )
    .filter((device) => !listed.has(device) && rootsOf(device).some((root) => disks.has(root)))
    .filter(
      (device) =>
        !EMPTY_TYPES.has(device.partType?.toLowerCase() ?? '') && !isPath(device) && !special.has(device.path),
    )
    .map((device) => ({
      device: device.path,
      code: 'device.left-out',
      message: `${device.path} (${device.format ?? 'unknown content'}) is neither mounted nor in fstab, but on a disk that would be written`,
      hint: 'Mount it, or name it in /etc/fstab; or save what is on it by other means.',
    }));
}

function rootsOf(device: BlockDevice): BlockDevice[] {
  return device.parents.length === 0 ? [device] : device.parents.flatMap(rootsOf);
}

/** `noauto` and `nofail` say themselves that the device may be missing. */
function fstabWithoutDevice(host: Host): MountlistProblem[] {
  if (host.devices.length === 0) return [];
  return host.fstab
    .filter((line) => !line.device)
    .filter((line) => !line.options.includes('noauto') && !line.options.includes('nofail'))
    .map((line) => ({
      device: line.spec,
      mountpoint: line.target,
      code: 'fstab.no-device',
      message: `/etc/fstab names ${line.spec} for ${line.target}, and there is no such device`,
      hint: 'Attach it, correct the line, or add `nofail` to its options.',
    }));
}

/** The classic file has one mountpoint a device. */
function subvolumes(host: Host): MountlistProblem[] {
  const seen = new Set<BlockDevice>();
  return host.mounts.flatMap((mount) => {
    const { device } = mount;
    if (!device || mount.subvolume === undefined || !isLasting(device)) return [];
    if (!seen.has(device)) {
      seen.add(device);
      if (mount.subvolume === '/') return [];
    }
    return [
      {
        device: device.path,
        mountpoint: mount.target,
        code: 'btrfs.subvolume',
        message: `${mount.target} is the btrfs subvolume ${mount.subvolume}, which the mountlist cannot tell`,
        hint: 'The files come back, in a plain directory; make the subvolume again by hand before they do.',
      },
    ];
  });
}

/** How it is made if not plain, striped or mirrored: `thin`, `cache`, `snapshot`, `vdo`. */
function specialKind({ layout, roles }: LogicalVolume): string | undefined {
  if (roles.includes('snapshot')) return 'snapshot';
  return layout.find((word) => !/^(?:linear|striped|mirror|raid.*)$/.test(word));
}

function volumes(host: Host): MountlistProblem[] {
  const special = host.logicalVolumes.filter(specialKind);
  const missing = host.physicalVolumes.filter((volume) => volume.missing);
  return [
    ...special.map((volume) => ({
      device: volume.path,
      code: 'lvm.kind',
      message: `${volume.group}/${volume.name} is a ${specialKind(volume)} volume, which the mountlist cannot tell from a linear one`,
      hint: 'It would come back as a plain logical volume.',
    })),
    ...missing.map((volume) => ({
      device: volume.name,
      code: 'lvm.missing',
      message: `volume group ${volume.group} misses the physical volume ${volume.uuid}`,
      hint: 'Attach it, or take it out with vgreduce --removemissing.',
    })),
  ];
}

function arrays(host: Host): MountlistProblem[] {
  const containers = host.devices.filter((device) => /^(?:isw|ddf)_raid_member$/.test(device.format ?? ''));
  return [
    ...host.arrays.flatMap(({ kname, active, container, lost }) => {
      if (container || (active && lost === 0)) return [];
      return {
        device: `/dev/${kname}`,
        code: active ? 'array.degraded' : 'array.inactive',
        message: active ? `array ${kname} lacks ${lost} of its members` : `array ${kname} is not running`,
        hint: 'The mountlist holds only what is there now: mend the array first (mdadm --detail tells what it lacks).',
      };
    }),
    ...containers.map((device) => ({
      device: device.path,
      code: 'array.firmware',
      message: `${device.path} belongs to a RAID the firmware made (${device.format})`,
      hint: 'Make the array in the firmware setup before the restore.',
    })),
  ];
}
