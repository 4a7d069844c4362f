import { statSync } from 'node:fs';
import { basename, join, posix } from 'node:path';
import { type Context, tell } from '../boot.ts';
import { whenThere } from '../late.ts';
import { unmount } from '../mount.ts';
import { busybox, run } from '../process.ts';
import { placeOf } from './address.ts';
import { disks, isUsb, kernelName, mountDevice } from './block-devices.ts';
import { capital, volumeIn } from './files.ts';
import { openFolder } from './folder.ts';
import { CARRIER, LOOK, leaveSource } from './places.ts';
import { type OpenSource, SourceError } from './source.ts';

/** What an address says of the place; the grammar of disk: and usb:. */
export type Where =
  /** Whatever file system holds a volume. */
  | { by: 'volume' }
  /** `/dev/sda3/backup`: which part of it is the device is seen when the device is there. */
  | { by: 'device'; path: string }
  | { by: 'LABEL' | 'UUID'; value: string; folder: string };

/** @throws SourceError when it is none of the forms there are */
export function parseWhere(address: URL): Where {
  const text = address.host ? `//${address.host}` : placeOf(address);
  if (text === '') return { by: 'volume' };
  const path = posix.normalize(text);
  if (/^\/dev\/[^/]/.test(path)) return { by: 'device', path };
  const [, by, value, folder = '/'] = /^(LABEL|UUID)=([^/]+)(\/.*)?$/.exec(text) ?? [];
  if (by && value) return { by: by as 'LABEL' | 'UUID', value, folder: posix.normalize(folder) };
  throw new SourceError(
    `The address ${address.href} names no place on a disk.`,
    `Write it like ${address.protocol}/dev/sdb1/backup, ${address.protocol}LABEL=backup/web01 or ${address.protocol}UUID=…/web01.`,
  );
}

/** A place that is there: a device, mounted at CARRIER. */
interface Place {
  device: string;
  folder: string;
}

/** The kind of disk that is looked for where the address names none. */
export interface DiskOptions {
  /** For people: "a USB disk with restore data". */
  what: string;
  wanted: (device: string) => boolean;
  /** Whether it may come late and without any sign of it. */
  hidden: (context: Context) => boolean;
}

/** Addresses of all wanted disks that hold a volume. */
export async function findVolumes(context: Context, scheme: string, wanted: DiskOptions['wanted']): Promise<string[]> {
  const found: string[] = [];
  for (const device of disks().filter(wanted)) {
    if (await mountVolume(context, device, LOOK)) found.push(`${scheme}:${device}`);
    await unmount(LOOK);
  }
  return found;
}

/** Opens a directory on a disk, and waits for a disk that comes late. */
export async function openOnDisk(context: Context, address: URL, options: DiskOptions): Promise<OpenSource> {
  const where = parseWhere(address);
  await leaveSource();
  let why = '';
  const place = await whenThere(context, {
    what: where.by === 'volume' ? options.what : address.href,
    hidden: options.hidden(context),
    look: async () => {
      const looked = await find(context, where, options);
      if (typeof looked !== 'string') return looked;
      why = looked;
      return null;
    },
  });
  if (!place) throw new SourceError(`${capital(why)}.`, 'Connect the disk and try again, or choose another source.');
  // The guard may have been lifted from it, for a restore that would now partition its own source.
  await busybox(['blockdev', '--setro', place.device]);
  const kind = isUsb(place.device) ? 'the USB disk' : 'the disk';
  const name = `${place.folder === '/' ? '' : `${place.folder} on `}${kind} ${basename(place.device)}`;
  tell(context, `reading ${name}`);
  try {
    return await openFolder(context, { path: join(CARRIER, place.folder), device: place.device, name });
  } catch (error) {
    await leaveSource();
    throw error;
  }
}

/** What the address means, mounted; a string says why there is no such thing. */
async function find(context: Context, where: Where, options: DiskOptions): Promise<Place | string> {
  if (where.by === 'volume') return anyVolume(context, options);
  if (where.by === 'device') {
    const device = deviceOf(where.path);
    return device ? mounted(context, device, where.path.slice(device.length) || '/') : `${where.path} is not there`;
  }
  const { stdout } = await run('findfs', [`${where.by}=${where.value}`]);
  const device = stdout.trim();
  return device
    ? mounted(context, device, where.folder)
    : `no file system with the ${where.by} ${where.value} is there`;
}

async function anyVolume(context: Context, { what, wanted }: DiskOptions): Promise<Place | string> {
  const looked = disks().filter(wanted);
  for (const device of looked) if (await mountVolume(context, device, CARRIER)) return { device, folder: '/' };
  const names = looked.map((device) => basename(device)).join(', ');
  return `${what} is not there${names && `: it is not on ${names}`}`;
}

/** Of a device that is there nothing else is to be waited for. */
async function mounted(context: Context, named: string, folder: string): Promise<Place> {
  const device = kernelName(named);
  const failure = await mountDevice(context, device, CARRIER);
  if (failure === null) return { device, folder };
  throw new SourceError(`The disk ${basename(device)} ${failure}.`, 'Name another place, or choose another source.');
}

/** Mounts a device when it holds a volume. */
async function mountVolume(context: Context, device: string, place: string): Promise<boolean> {
  if ((await mountDevice(context, device, place)) !== null) return false;
  if (await volumeIn({ path: place, device })) return true;
  await unmount(place);
  return false;
}

/** The part `/dev/mapper/vg-data` of `/dev/mapper/vg-data/backup`; undefined when no part of it is a device yet. */
function deviceOf(path: string): string | undefined {
  const parts = path.split('/');
  const ends = parts.map((_, end) => parts.slice(0, end + 1).join('/'));
  return ends.find((end) => statSync(end, { throwIfNoEntry: false })?.isBlockDevice());
}
