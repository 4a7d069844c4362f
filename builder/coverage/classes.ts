/** What a device is for, as far as a rescue cares; the last is what it can do without. */
export const GROUPS = ['storage', 'network', 'usb', 'input', 'other'] as const;
export type DeviceGroup = (typeof GROUPS)[number];

/**
 * Devices a rescue cannot do without: they lead to the disks, to the backup, or to a person. PCI and USB classes are in
 * the modalias (bcXXscXX: PCI class and subclass, icXX: USB interface class); virtio and VMBus devices have numbers.
 */
const NEEDED: readonly { group: DeviceGroup; pattern: RegExp; because: string }[] = [
  { group: 'storage', pattern: /^pci:.*bc01/, because: 'mass storage controllers' },
  { group: 'storage', pattern: /^pci:.*bc0Csc04/, because: 'Fibre Channel' },
  { group: 'storage', pattern: /^pci:.*bc08sc05/, because: 'SD card readers' },
  { group: 'storage', pattern: /^usb:.*ic08/, because: 'USB storage' },
  { group: 'storage', pattern: /^scsi:t-0x(00|01|05|07|08|0e|14)$/, because: 'disks, tapes, CD drives, changers' },
  { group: 'storage', pattern: /^virtio:d0000000[28]v/, because: 'virtio disk and SCSI' },
  { group: 'storage', pattern: /^(xen:vbd|mmc:block|nd:)/, because: 'Xen disks, SD cards, persistent memory' },
  {
    group: 'storage',
    pattern:
      /^vmbus:(d96361baa104294db60572e2ffb1dc7f|32264132cb86a2449b5c50d1417354f5|4acc9b2f6900f34ab76b6fd0be528cda)/,
    because: 'Hyper-V SCSI, IDE, Fibre Channel',
  },
  { group: 'other', pattern: /^pci:.*bc02sc80/, because: 'wireless: no rescue starts over it' },
  { group: 'network', pattern: /^pci:.*bc02/, because: 'network cards' },
  { group: 'network', pattern: /^pci:.*bc0Csc06/, because: 'InfiniBand' },
  { group: 'network', pattern: /^usb:.*ic02isc(06|0C|0D|0E)/, because: 'USB Ethernet' },
  { group: 'network', pattern: /^(virtio:d00000001v|xen:vif)/, because: 'virtio and Xen network cards' },
  { group: 'network', pattern: /^vmbus:635161f83edfc546913ff2d2f965ed0e/, because: 'Hyper-V network card' },
  { group: 'usb', pattern: /^pci:.*bc0Csc03/, because: 'USB host controllers' },
  { group: 'usb', pattern: /^usb:.*ic09/, because: 'USB hubs' },
  { group: 'input', pattern: /^usb:.*ic03isc01/, because: 'USB keyboards' },
  { group: 'input', pattern: /^(pci:.*bc09|serio:ty06|virtio:d00000012v)/, because: 'other keyboards' },
  { group: 'input', pattern: /^hid:b0003g0001/, because: 'USB human interface devices' },
  { group: 'input', pattern: /^vmbus:6dad12f9172bea48bd65f927a61c7684/, because: 'Hyper-V keyboard' },
];

/** The first line of the table that means a modalias decides. */
export const groupOf = (modalias: string): DeviceGroup =>
  NEEDED.find(({ pattern }) => pattern.test(modalias))?.group ?? 'other';
