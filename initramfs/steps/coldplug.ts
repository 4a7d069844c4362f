import type { Step } from '../boot.ts';
import { loadForNewDevices, settleDevices } from '../coldplug.ts';

/** With the drivers of the boot image: what leads to the medium. Nothing is waited for. */
export const firstDevices: Step = {
  name: 'devices',
  says: 'looking for disks, discs and keyboards',
  run: loadForNewDevices,
};

/** With all drivers, and until no more devices appear. */
export const allDevices: Step = { name: 'all devices', says: 'loading all other drivers', run: settleDevices };
