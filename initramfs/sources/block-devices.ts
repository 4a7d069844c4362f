import { realpathSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Context } from '../boot.ts';
import { attribute, list } from '../devices.ts';
import { log } from '../log.ts';
import { mountReadOnly } from '../mount.ts';
import { firstBytes } from '../reading.ts';
import { identify, OF_DISKS } from '../superblock.ts';

const CLASS = '/sys/class/block';
/** errno(3); Node has no name for it. */
const ENOMEDIUM = -123;

/** Drives for discs, with or without one: `/dev/sr0`. */
export function discDrives(): string[] {
  return named(/^sr\d+$/);
}

/** Disks, partitions and volumes that no RAID, volume group or other device is made of. */
export function disks(): string[] {
  return named(/^(?!(sr|ram|loop|zram|fd|nbd)\d)/).filter((device) => {
    const name = basename(device);
    return attribute(CLASS, name, 'size') !== '0' && list(CLASS, name, 'holders').length === 0;
  });
}

function named(pattern: RegExp): string[] {
  return list(CLASS)
    .filter((name) => pattern.test(name))
    .map((name) => `/dev/${name.replaceAll('!', '/')}`);
}

/** The device `/dev/dm-0` for any name of it, `/dev/vg0/store`. */
export function kernelName(device: string): string {
  const { rdev } = statSync(device);
  const major = (rdev >> 8) & 0xfff;
  const minor = (rdev & 0xff) | ((rdev >> 12) & 0xfff00);
  return `/dev/${basename(realpathSync(`/sys/dev/block/${major}:${minor}`)).replaceAll('!', '/')}`;
}

/** Whether a disk or partition is plugged in by USB. */
export function isUsb(device: string): boolean {
  try {
    return /\/usb\d+\//.test(realpathSync(join(CLASS, basename(device))));
  } catch {
    return false;
  }
}

/** Whether a block device is still there. One that was pulled out stays mounted, but sysfs has forgotten it. */
export function isThere(device: string): boolean {
  return attribute(CLASS, basename(device), 'dev') !== '';
}

/**
 * Mounts what is on a device, read-only.
 * @returns null when it is mounted, else why not: what follows the device's name in a sentence
 */
export async function mountDevice(
  context: Pick<Context, 'modules'>,
  device: string,
  place: string,
): Promise<string | null> {
  const start = await startOf(device);
  if (start instanceof Error) {
    log(`${device}: ${start.message}`);
    return unreadable(start);
  }
  const filesystem = identify(start, OF_DISKS);
  if (!filesystem) return 'holds no file system that can be read here';
  const failure = await mountReadOnly(device, filesystem, context.modules, place);
  return failure === null ? null : `holds a file system (${filesystem.type}) that cannot be mounted: ${failure}`;
}

/** Whether a drive has no disc in it. */
export async function isEmpty(drive: string): Promise<boolean> {
  const start = await startOf(drive);
  return start instanceof Error && start.errno === ENOMEDIUM;
}

/** A drive whose disc was changed fails once. */
async function startOf(device: string): Promise<Buffer | NodeJS.ErrnoException> {
  const start = await firstBytes(device);
  return start instanceof Error && start.errno ? firstBytes(device) : start;
}

function unreadable({ errno, code, message }: NodeJS.ErrnoException): string {
  if (errno === ENOMEDIUM) return 'is empty';
  if (code === 'ENOENT' || code === 'ENXIO' || code === 'ENODEV') return 'is not there';
  return `cannot be read: ${message}`;
}
