import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** A device of the kernel that asks for a driver by its modalias. */
export interface Device {
  bus: string;
  /** Name on its bus: `0000:00:03.0`, `1-1:1.0`. */
  name: string;
  modalias: string;
  /** Its directory below /sys/bus. */
  path: string;
}

const BUSES = '/sys/bus';

/** First line of a file of /sys without blanks around it; '' when it is not there or cannot be read. */
export function attribute(...path: string[]): string {
  try {
    return readFileSync(join(...path), 'utf8').trim();
  } catch {
    return '';
  }
}

/** Entries of a directory, sorted; none when it is not there. */
export function list(...path: string[]): string[] {
  try {
    return readdirSync(join(...path)).sort();
  } catch {
    return [];
  }
}

/** Every device with a modalias that `seen` does not hold yet; adds them to it. A modalias never changes while the device is there. */
export function newDevices(seen: Set<string>): Device[] {
  const found: Device[] = [];
  for (const bus of list(BUSES)) {
    for (const name of list(BUSES, bus, 'devices')) {
      const path = join(BUSES, bus, 'devices', name);
      if (seen.has(path)) continue;
      seen.add(path);
      const modalias = modaliasOf(path);
      if (modalias) found.push({ bus, name, modalias, path });
    }
  }
  return found;
}

/** Some buses (mmc, mdio) have no file for it and tell it only in their device events. */
function modaliasOf(path: string): string {
  return attribute(path, 'modalias') || (/^MODALIAS=(.+)$/m.exec(attribute(path, 'uevent'))?.[1] ?? '');
}

/** Name of the driver bound to a device's directory; '' when none is. */
export function driverOf(path: string): string {
  try {
    return basename(readlinkSync(join(path, 'driver')));
  } catch {
    return '';
  }
}

/** These drive the device's face (disk, tape); what people call its driver sits above them on the way to the bus. */
const FACES = new Set(['sd', 'sr', 'st', 'ch', 'ses', 'osst', 'sg', 'usb', 'mmcblk']);

/** The driver of the adapter a class device (`/sys/class/net/eth0`, `/sys/block/sda`) belongs to; '' when nothing says. */
export function adapterDriver(classPath: string): string {
  const start = join(classPath, 'device');
  if (!existsSync(start)) return '';
  for (let path = realpathSync(start); path.startsWith('/sys/devices/'); path = dirname(path)) {
    const driver = driverOf(path);
    if (driver && !FACES.has(driver)) return driver;
  }
  return '';
}
