import { BUSES_OF_USE } from './left-out.ts';

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
