import { join } from 'node:path';
import type { Boot, Context } from './boot.ts';
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

/** Loads the modules of devices that appeared since the last call, and of those that these bring, until there are none. */
export async function loadForNewDevices(boot: Pick<Context, 'devices' | 'modules'>): Promise<void> {
  for (let found = newDevices(seen); found.length > 0; found = newDevices(seen)) {
    boot.devices.push(...found);
    await boot.modules.loadAll(found.map((device) => device.modalias));
  }
}

/** The same, and waits for those that take their time to appear. */
export async function settleDevices(boot: Boot): Promise<void> {
  const start = performance.now();
  while (performance.now() < start + LIMIT) {
    const before = eventNumber();
    await loadForNewDevices(boot);
    const limit = storageOnItsWay() ? start + SLOW - performance.now() : quiet();
    if (!(await deviceEvent(before, limit))) return;
  }
}

/** Where devices come by and by, because a bus looks for them in the background. Others have them when their driver is in. */
const SEARCHED_BUSES = [
  '/sys/bus/usb/devices',
  '/sys/bus/firewire/devices',
  '/sys/class/mmc_host',
  '/sys/class/pcmcia_socket',
];

function quiet(): number {
  return SEARCHED_BUSES.some((bus) => list(bus).length > 0) ? QUIET : 0;
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
