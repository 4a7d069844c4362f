import { BUSES_OF_USE } from '../contract/left-out.ts';
import type { MissingDevice, MissingRequest } from '../contract/report.ts';
import { describe } from './device-names.ts';
import { type Device, driverOf } from './devices.ts';
import type { KernelModules } from './kernel-modules.ts';

/** Kinds that work without a driver of their own. */
const NEEDS_NO_DRIVER: readonly { pattern: RegExp; because: string }[] = [
  { pattern: /^pci:.*bc06/, because: 'bridges: the kernel runs them itself' },
  { pattern: /^pci:.*bc05/, because: 'memory controllers' },
  { pattern: /^pci:.*bc08sc(?!05)/, because: 'interrupt controllers, timers, clocks; 0805 is an SD card reader' },
  { pattern: /^pci:.*bc0Csc05/, because: 'SMBus: sensors' },
  { pattern: /^pci:.*bc11/, because: 'performance counters' },
  { pattern: /^pci:.*bc04|^usb:.*ic(01|0E)/, because: 'sound and cameras' },
  { pattern: /^serio:ty01/, because: 'the port of a PS/2 mouse' },
  {
    pattern: /^scsi:t-0x(03|0c|0d)$/,
    because: 'processors, RAID controllers and enclosures as SCSI devices; sg and ses show them',
  },
];

/** Whether nobody is missed when this device has no driver. `bootScreen`: it is the screen the firmware started with. */
export function needsNoDriver(modalias: string, bootScreen: boolean): boolean {
  const kind = modalias.slice(0, modalias.indexOf(':'));
  if (!BUSES_OF_USE.has(kind)) return true;
  // The text console works on the firmware's own screen.
  if (bootScreen && /^pci:.*bc03/.test(modalias)) return true;
  return NEEDS_NO_DRIVER.some(({ pattern }) => pattern.test(modalias));
}

type Modules = Pick<KernelModules, 'answers' | 'leftOut'>;

/** Devices no driver took and that no module on the media, nor a built-in driver, answers. */
export function missingDevices(
  devices: readonly Device[],
  modules: Modules,
  isBootScreen: (device: Device) => boolean,
): MissingDevice[] {
  return devices
    .filter((device) => !needsNoDriver(device.modalias, isBootScreen(device)))
    .filter((device) => driverOf(device.path) === '' && !modules.answers(device.modalias))
    .map(({ name, modalias }) => {
      return { device: name, modalias, name: describe(modalias), modules: modules.leftOut(modalias) };
    });
}

/**
 * What the kernel asked for in vain and a module that was left out would have been. It asks for much that no kernel has
 * (`crypto-sha256-all`), and for what came later with the second stage.
 */
export function missingRequests(requests: readonly string[], modules: Modules): MissingRequest[] {
  return requests
    .filter((name) => !modules.answers(name))
    .map((name) => ({ name, modules: modules.leftOut(name) }))
    .filter((request) => request.modules.length > 0);
}
