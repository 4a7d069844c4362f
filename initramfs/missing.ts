import { type Device, driverOf } from './devices.ts';

/**
 * Devices a rescue could need. Of all that asks for a driver, firmware tables, processors and sensors are left out:
 * the buses named here are those that lead to storage, network, tape and input.
 */
const BUSES_OF_USE = new Set([
  'pci',
  'usb',
  'virtio',
  'scsi',
  'hid',
  'serio',
  'pcmcia',
  'mmc',
  'sdio',
  'firewire',
  'xen',
  'vmbus',
  'nd',
  'ssb',
  'bcma',
  'ccw',
  'vio',
  'of',
]);

/** Kinds that work without a driver of their own. */
const NEEDS_NO_DRIVER: readonly { pattern: RegExp; because: string }[] = [
  { pattern: /^pci:.*bc06/, because: 'bridges: the kernel runs them itself' },
  { pattern: /^pci:.*bc05/, because: 'memory controllers' },
  { pattern: /^pci:.*bc08sc(?!05)/, because: 'interrupt controllers, timers, clocks; 0805 is an SD card reader' },
  { pattern: /^pci:.*bc0Csc05/, because: 'SMBus: sensors' },
  { pattern: /^pci:.*bc11/, because: 'performance counters' },
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

/** Devices no driver took and `answered` knows no module or built-in driver for. */
export function missingDevices(
  devices: readonly Device[],
  answered: (modalias: string) => boolean,
  isBootScreen: (device: Device) => boolean,
): { device: string; modalias: string }[] {
  return devices
    .filter((device) => !needsNoDriver(device.modalias, isBootScreen(device)))
    .filter((device) => driverOf(device.path) === '' && !answered(device.modalias))
    .map(({ name, modalias }) => ({ device: name, modalias }));
}
