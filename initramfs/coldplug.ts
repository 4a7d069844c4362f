import { join } from 'node:path';
import type { Boot } from './boot.ts';
import { attribute, driverOf, list, newDevices } from './devices.ts';
import { deviceEvent, eventNumber } from './settle.ts';

/** Without a device event for this long (milliseconds) nothing more is coming, unless something is known to be slow. */
const QUIET = 250;
/** Longest wait for devices that are known to be on their way. */
const SLOW = 8000;
/** A device that comes and goes for ever must not hold up the boot. */
const LIMIT = 60_000;

/** Devices already looked at; forgotten when the second stage brings more modules. */
const seen = new Set<string>();

export function forgetDevices(boot: Boot): void {
  seen.clear();
  boot.devices = [];
}

/** Loads the modules of devices that appeared since the last call. Resolves with how many devices were new. */
export async function loadForNewDevices(boot: Boot): Promise<number> {
  const found = newDevices(seen);
  boot.devices.push(...found);
  await boot.modules.loadAll(found.map((device) => device.modalias));
  return found.length;
}

/** Loads modules until no device appears any more: a driver brings devices that ask for drivers. */
export async function coldplug(boot: Boot): Promise<void> {
  const start = performance.now();
  while (performance.now() < start + LIMIT) {
    const before = eventNumber();
    await loadForNewDevices(boot);
    if (await deviceEvent(before, 0)) continue;
    const limit = Math.max(QUIET, storageOnItsWay() ? start + SLOW - performance.now() : 0);
    if (!(await deviceEvent(before, limit))) return;
  }
}

/** USB sticks and drives whose driver is bound but whose disk has not appeared: the kernel gives them a second to wake up. */
export function storageOnItsWay(): boolean {
  return list('/sys/bus/usb/devices').some((name) => {
    const path = join('/sys/bus/usb/devices', name);
    if (attribute(path, 'bInterfaceClass') !== '08' || !driverOf(path)) return false;
    const hosts = list(path).filter((entry) => /^host\d+$/.test(entry));
    return !hosts.some((host) => list(path, host).some((entry) => entry.startsWith('target')));
  });
}
