import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { ArrayState, StorageDevice } from '../../contract/storage.ts';
import { attribute, list } from '../devices.ts';

export const BLOCK = '/sys/class/block';
/** As the guard (root/usr/lib/mindi/guard) has it: no disks, and layers of ours. */
const NO_STORAGE = /^(loop|ram|zram|sr|fd)\d/;
export const OUR_LAYERS = 'mindi-';

/** Everything from disks to volumes, as /sys shows it: nothing is read from a disk, so that nothing can hang. */
export function blockDevices(): StorageDevice[] {
  return list(BLOCK)
    .filter((name) => !NO_STORAGE.test(name) && !attribute(BLOCK, name, 'dm/name').startsWith(OUR_LAYERS))
    .filter((name) => Number(attribute(BLOCK, name, 'size')) > 0 || isStoppedArray(name))
    .filter((name) => !isJoined(name))
    .map(blockDevice);
}

function blockDevice(name: string): StorageDevice {
  const kind = kindOf(name);
  return {
    device: deviceNode(name),
    name,
    kind,
    on: kind === 'partition' ? [diskOf(name)] : kind === 'path' ? [] : slaves(name),
    bytes: Number(attribute(BLOCK, name, 'size')) * 512,
    writable: Number(attribute(BLOCK, name, 'size')) > 0 && attribute(BLOCK, name, 'ro') === '0' && !onLayer(name),
    array: kind === 'array' ? arrayState(name) : null,
    content: null,
  };
}

/** A path to a disk (paths.ts), or a partition seen over one: the joined disk stands for them. */
function isJoined(name: string): boolean {
  return list(BLOCK, diskOf(name), 'holders').some((holder) =>
    attribute(BLOCK, holder, 'dm/uuid').startsWith('mpath-'),
  );
}

/** Containers and arrays that could not be started have no size. */
function isStoppedArray(name: string): boolean {
  return !['', 'clear'].includes(attribute(BLOCK, name, 'md/array_state'));
}

/** The disk a partition is on; of anything else itself. */
export function diskOf(name: string): string {
  if (!existsSync(join(BLOCK, name, 'partition'))) return name;
  return basename(dirname(realpathSync(join(BLOCK, name))));
}

/** The kernel's number of a disk, which no other disk of that name has. Kernels before 5.15 give none. */
export function diskSequence(disk: string): string {
  return attribute(BLOCK, disk, 'diskseq') || '0';
}

/** The partitions of a disk. */
export function partitionsOf(disk: string): string[] {
  return list(BLOCK, disk).filter((name) => existsSync(join(BLOCK, disk, name, 'partition')));
}

/** What it is built on; a layer of ours is left out in favour of what is below it. */
export function slaves(name: string): string[] {
  return list(BLOCK, name, 'slaves').flatMap((slave) =>
    attribute(BLOCK, slave, 'dm/name').startsWith(OUR_LAYERS)
      ? slaves(slave).filter((one) => !NO_STORAGE.test(one))
      : slave,
  );
}

/** What is written to it stays in RAM. */
function onLayer(name: string): boolean {
  return list(BLOCK, name, 'slaves').some(
    (slave) => attribute(BLOCK, slave, 'dm/name').startsWith(OUR_LAYERS) || onLayer(slave),
  );
}

/** `/dev/GROUP/VOLUME` of LVM's own, `/dev/mapper/NAME` of others of device-mapper, else `/dev/NAME`. */
function deviceNode(name: string): string {
  const mapped = attribute(BLOCK, name, 'dm/name');
  if (!mapped) return `/dev/${name.replaceAll('!', '/')}`;
  const volume = attribute(BLOCK, name, 'dm/uuid').startsWith('LVM-') && volumeName(mapped);
  return volume ? `/dev/${volume.group}/${volume.volume}` : `/dev/mapper/${mapped}`;
}

/** device-mapper's `my--group-root` is the volume root of the group my-group. */
export function volumeName(mapped: string): { group: string; volume: string } | null {
  const [, group, volume] = /^((?:[^-]|--)+)-((?:[^-]|--)+)$/.exec(mapped) ?? [];
  return group && volume ? { group: group.replaceAll('--', '-'), volume: volume.replaceAll('--', '-') } : null;
}

function kindOf(name: string): StorageDevice['kind'] {
  if (existsSync(join(BLOCK, name, 'partition'))) return 'partition';
  if (/^md/.test(name)) return 'array';
  if (!/^dm-/.test(name)) return 'disk';
  const uuid = attribute(BLOCK, name, 'dm/uuid');
  // What LVM has only inside of others ends with a word of its own: LVM-…-tpool, LVM-…_rimage.
  if (/^LVM-\w{64}$/.test(uuid)) return hiddenVolume(name) ? 'mapped' : 'volume';
  if (uuid.startsWith('CRYPT-')) return 'encrypted';
  return uuid.startsWith('mpath-') ? 'path' : 'mapped';
}

/** Parts of mirrors and pools have a uuid like volumes, and names LVM reserves for them. */
function hiddenVolume(name: string): boolean {
  return /_(?:r?image|rmeta|mlog|tdata|tmeta|cdata|cmeta|cvol|corig|wcorig|pmspare|vdata|imeta|iorig)(?:_\d+)*$/.test(
    attribute(BLOCK, name, 'dm/name'),
  );
}

function arrayState(name: string): ArrayState {
  const md = (file: string) => attribute(BLOCK, name, 'md', file);
  const external = md('metadata_version').replace(/^external:/, '');
  const container = !md('level') && !/^[-/]/.test(external);
  const disks = container ? slaves(name).length : Number(md('raid_disks'));
  return {
    level: container ? 'container' : md('level'),
    metadata: external,
    disks,
    missing: Number(md('degraded')) || 0,
    active: !['', 'clear', 'inactive'].includes(md('array_state')),
  };
}
