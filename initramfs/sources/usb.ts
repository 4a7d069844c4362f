import { isUsb } from './block-devices.ts';
import { findVolumes, openOnDisk } from './disks.ts';
import type { SourceKind } from './source.ts';

/** USB disks and sticks; they may be plugged in late. */
export const usb: SourceKind = {
  schemes: ['usb'],
  name: 'USB disk',
  about: 'the USB disk with restore data (usb:), or a directory on one (usb:LABEL=backup/web01)',
  find: (context) => findVolumes(context, 'usb', isUsb),
  open: (address, context) =>
    openOnDisk(context, address, { what: 'a USB disk with restore data', wanted: isUsb, hidden: () => true }),
};
