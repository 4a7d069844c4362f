import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { MindiError } from '../contract/error.ts';

/** QEMU's machines: one with PCI Express, SATA, xHCI; one with the chips of the nineties. */
export const MACHINE_TYPES = ['q35', 'pc'] as const;
export type MachineType = (typeof MACHINE_TYPES)[number];

/** What a disk can be behind. `#` is the number of the disk, which makes names unique. */
interface Controller {
  about: string;
  /** `-device` arguments, the disk's own last. */
  devices: readonly string[];
  /** Its disk has no place in the firmware's boot order. */
  unbootable?: true;
  /** The machine that has it; others have another of that kind. */
  only?: MachineType;
}

export const CONTROLLERS: Readonly<Record<string, Controller>> = {
  virtio: { about: 'virtio disk', devices: ['virtio-blk-pci'] },
  'virtio-scsi': { about: 'virtio SCSI', devices: ['virtio-scsi-pci,id=bus#', 'scsi-hd,bus=bus#.0'] },
  nvme: { about: 'NVMe', devices: ['nvme,serial=disk#'] },
  ahci: { about: 'SATA: Intel ICH9', devices: ['ich9-ahci,id=bus#', 'ide-hd,bus=bus#.0'] },
  ide: { about: 'IDE: Intel PIIX3, of --machine pc', devices: ['ide-hd'], only: 'pc' },
  lsi53c895a: { about: 'SCSI: LSI 53C895A', devices: ['lsi53c895a,id=bus#', 'scsi-hd,bus=bus#.0'] },
  am53c974: { about: 'SCSI: AMD 53C974', devices: ['am53c974,id=bus#', 'scsi-hd,bus=bus#.0'] },
  mptsas: {
    about: 'SAS: LSI SAS1068',
    // Linux's driver sees no disk without a name on the bus.
    devices: ['mptsas1068,id=bus#', 'scsi-hd,bus=bus#.0,wwn=0x5000c50015ea71ac'],
  },
  megasas: { about: 'RAID: LSI MegaRAID SAS 2108', devices: ['megasas-gen2,id=bus#', 'scsi-hd,bus=bus#.0'] },
  pvscsi: { about: 'SCSI: VMware', devices: ['pvscsi,id=bus#', 'scsi-hd,bus=bus#.0'] },
  usb: { about: 'USB 3 storage: xHCI', devices: ['usb-storage,bus=usb.0'] },
  uas: { about: 'USB 3 storage by UAS', devices: ['usb-uas,bus=usb.0,id=bus#', 'scsi-hd,bus=bus#.0'] },
  'usb-ehci': { about: 'USB 2 storage: EHCI', devices: ['usb-ehci,id=bus#', 'usb-storage,bus=bus#.0'] },
  'usb-uhci': { about: 'USB 1 storage: UHCI', devices: ['piix3-usb-uhci,id=bus#', 'usb-storage,bus=bus#.0'] },
  sd: { about: 'SD card', devices: ['sdhci-pci,id=bus#', 'sd-card,bus=sd-bus'], unbootable: true },
};

/** QEMU's device for each model of a network card. igb came with QEMU 8.0. */
export const NICS: Readonly<Record<string, string>> = {
  virtio: 'virtio-net-pci,romfile=',
  e1000: 'e1000,romfile=',
  e1000e: 'e1000e,romfile=',
  igb: 'igb,romfile=',
  rtl8139: 'rtl8139,romfile=',
  vmxnet3: 'vmxnet3,romfile=',
  pcnet: 'pcnet,romfile=',
  ne2k_pci: 'ne2k_pci,romfile=',
  i82559er: 'i82559er,romfile=',
  tulip: 'tulip',
  'usb-net': 'usb-net,bus=usb.0',
};

/**
 * QEMU's arguments for the machine's disks, the first of them `bootIndex` in the order they are started from.
 * @param drives raw or qcow2 images, written to by the machine: `disk.img`, or `disk.img:megasas` with what it is behind
 * @throws MindiError `drive.controller`, `drive.unreadable`
 */
export function driveArguments(drives: readonly string[], bootIndex: number, machine: MachineType): string[] {
  return drives.flatMap((drive, n) => {
    const [path, controller] = pathAndController(drive);
    const { devices, unbootable, only = machine } = known(CONTROLLERS, controller, 'drive.controller', 'controller');
    if (only !== machine) throw wrongMachine(controller, only);
    const own = `drive=disk${n}${unbootable ? '' : `,bootindex=${bootIndex + n}`}`;
    const args = devices.map((device, i) => (i < devices.length - 1 ? device : `${device},${own}`));
    const image = `if=none,id=disk${n},format=${imageFormat(path)},file=${twiceComma(path)}`;
    return ['-drive', image, ...args.flatMap((device) => ['-device', device.replaceAll('#', String(n))])];
  });
}

/**
 * QEMU's arguments for the machine's network cards, each with a network of its own to this machine.
 * @throws MindiError `nic.model`
 */
export function nicArguments(models: readonly string[]): string[] {
  return models.flatMap((model, n) => {
    const device = known(NICS, model, 'nic.model', 'network card');
    return ['-netdev', `user,id=net${n}`, '-device', `${device},netdev=net${n}`];
  });
}

/** QEMU's device of that name in NICS, without options. */
export const nicDevice = (model: string) => known(NICS, model, 'nic.model', 'network card').split(',')[0] ?? '';

/** A network card that the machine starts from. */
export interface NetworkCard {
  /** As QEMU names it: e1000, virtio-net-pci. */
  model: string;
  /** What is loaded first: served by TFTP from `folder`, or an http:// URL. This machine is 10.0.2.2 there. */
  bootFile?: string;
  folder?: string;
  /** Instead of QEMU's built-in network, as `-netdev` takes it: `tap,ifname=tap0,script=no`. */
  backend?: string;
}

/** A BIOS needs the card's boot ROM, which is iPXE; UEFI has a driver of its own (for virtio) and PXE as others have it. */
export function networkCard({ model, bootFile, folder, backend = 'user' }: NetworkCard, uefi: boolean): string[] {
  const served = [folder && `tftp=${twiceComma(folder)}`, bootFile && `bootfile=${twiceComma(bootFile)}`];
  const netdev = [backend, 'id=net', ...served.filter(Boolean)].join(',');
  return ['-netdev', netdev, '-device', `${model},netdev=net,bootindex=1${uefi ? ',romfile=' : ''}`];
}

function wrongMachine(controller: string, only: MachineType): MindiError {
  return new MindiError(`only the machine ${only} has the controller ${controller}`, {
    code: 'drive.controller',
    hint: `Add --machine ${only}.`,
  });
}

/** A file whose own name looks like that is taken as it is. */
function pathAndController(drive: string): [path: string, controller: string] {
  const [, path, controller] = /^(.+):([^:/]*)$/.exec(drive) ?? [];
  if (path === undefined || controller === undefined || existsSync(drive)) return [drive, 'virtio'];
  return [path, controller];
}

function known<T>(table: Readonly<Record<string, T>>, name: string, code: string, what: string): T {
  if (Object.hasOwn(table, name)) return table[name] as T;
  throw new MindiError(`there is no ${what} ${JSON.stringify(name)} to try`, {
    code,
    hint: `Known are ${Object.keys(table).join(', ')}; anything else QEMU has can be given by --device.`,
  });
}

function imageFormat(path: string): 'raw' | 'qcow2' {
  const start = Buffer.alloc(4);
  try {
    const file = openSync(path, 'r');
    readSync(file, start, 0, 4, 0);
    closeSync(file);
  } catch (cause) {
    throw new MindiError('this disk image cannot be read', {
      code: 'drive.unreadable',
      where: path,
      hint: 'Make an empty one with `truncate -s 2G FILE`.',
      cause,
    });
  }
  return start.toString('latin1') === 'QFI\xfb' ? 'qcow2' : 'raw';
}

/** In QEMU's option lists a comma in a value is written twice. */
export function twiceComma(path: string): string {
  return path.replaceAll(',', ',,');
}
