import type { Disk } from '../contract/layout/schema.ts';
import { type Block, isPath } from './block.ts';
import { type Context, said } from './context.ts';

/** Whole disks, and those that are reached over several paths. */
export async function captureDisks(context: Context): Promise<void> {
  const disks = context.blocks.filter((block) => (block.type === 'disk' && !isPath(block)) || block.type === 'mpath');
  const places = await placesOf(context, disks);
  for (const block of disks) context.layout.disks[block.id] = await diskOf(context, block, places.get(block.id) ?? '');
}

async function diskOf({ machine }: Context, block: Block, path: string): Promise<Disk> {
  const { size, sectorSize, physicalSectorSize, model } = block;
  const read = async (name: string) => printable((await machine.read(`/sys/block/${block.kname}/${name}`)) ?? '');
  // Without udev lsblk knows neither; the kernel has them at different places.
  const serial =
    block.serial || (await read('serial')) || (await read('device/serial')) || (await read('device/vpd_pg80'));
  const wwid = (await read('wwid')) || (await read('device/wwid'));
  const multipath = block.type === 'mpath' ? (await read('dm/uuid')).replace(/^mpath-/, '') : '';
  return said({
    size,
    ...(sectorSize === 512 ? {} : { sectorSize }),
    ...(physicalSectorSize === sectorSize ? {} : { physicalSectorSize }),
    model: model || (await read('device/model')),
    serial,
    ...namesOf(wwid, block.wwn),
    path,
    multipath,
  });
}

const printable = (text: string) => text.replace(/[^\x20-\x7e]/g, '').trim();

/** `naa.5000c500…` and `eui.0025…` as the kernel has them, `0x5000c500…` as udev does. */
function namesOf(wwid: string, wwn: string): Pick<Disk, 'wwn' | 'eui'> {
  const eui = /^(?:eui|nvme|uuid)\.(.+)$/.exec(wwid)?.[1] ?? /^eui\.(.+)$/.exec(wwn)?.[1];
  if (eui) return { eui };
  const naa = /^naa\.([0-9a-f]{16})/.exec(wwid)?.[1];
  return said({ wwn: naa ? `0x${naa}` : /^0x/.test(wwn) ? wwn.slice(0, 18) : '' });
}

/** Where each is plugged in, by what sysfs says, in the words udev has for its by-path links. */
async function placesOf({ machine }: Context, disks: readonly Block[]): Promise<Map<string, string>> {
  const real = disks.filter(({ kname }) => !kname.startsWith('dm-'));
  if (real.length === 0) return new Map();
  const { stdout } = await machine.run(
    'realpath',
    real.map(({ kname }) => `/sys/block/${kname}`),
  );
  const lines = stdout.trimEnd().split('\n');
  const found = real.map(async ({ id }, n): Promise<[string, string]> => {
    const [port, ata] = /^.*\/(ata\d+)(?=\/)/.exec(lines[n] ?? '') ?? [];
    // The kernel counts the ports of all controllers; this one is of its own.
    const own = port && (await machine.read(`${port}/ata_port/${ata}/port_no`))?.trim();
    return [id, placeOf(lines[n] ?? '', own)];
  });
  return new Map(await Promise.all(found));
}

/** `/sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda` is `pci-0000:00:1f.2-ata-1`. */
export function placeOf(device: string, port?: string): string {
  const steps = device.split('/');
  const pci = steps.findLast((step) => /^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d$/.test(step));
  if (!pci) return '';
  const below = steps.slice(steps.lastIndexOf(pci) + 1);
  const usb = below.findLast((step) => /^\d+-[\d.]+$/.test(step));
  const ata = port ?? below.find((step) => /^ata\d+$/.test(step))?.slice(3);
  const scsi = below.findLast((step) => /^\d+:\d+:\d+:\d+$/.test(step))?.replace(/^\d+:/, '0:');
  const nvme = /^nvme\d+(?:c\d+)?n(\d+)$/.exec(below.at(-1) ?? '')?.[1];
  const rest = [
    usb ? `usb-${usb.replace(/^\d+-/, '0:')}` : '',
    ata ? `ata-${ata}` : scsi ? `scsi-${scsi}` : '',
    nvme ? `nvme-${nvme}` : '',
  ];
  return ['pci', pci, ...rest].filter(Boolean).join('-');
}
