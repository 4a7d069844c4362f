import { Command, InvalidArgumentError, Option } from 'commander';
import { CONTROLLERS, MACHINE_TYPES, NICS } from '../boot/controllers.ts';
import type { TrialOptions, TrialResult } from '../boot/trial.ts';
import { missingDeviceLine, missingRequestLine, type ReadyReport } from '../contract/report.ts';
import { answer, answerJson, size, table, talk } from './output.ts';

type Options = Omit<TrialOptions, 'image' | 'drives' | 'nics' | 'devices'> & {
  drive: string[];
  nic?: string[];
  device: string[];
  json?: boolean;
};

/** `mindi boot`: whether an image starts, and what the rescue system on it says of the machine. */
export function bootCommand(): Command {
  return new Command('boot')
    .description('boot an image in QEMU, wait for the ready line and print its report')
    .argument('<image>', 'an ISO, a disk image, a tape (NAME.tap) or a netboot folder')
    .addOption(
      new Option('--firmware <kind>', 'what starts it').choices(['bios', 'uefi', 'secureboot']).default('bios'),
    )
    .addOption(
      new Option('--as <device>', 'attach it as disc or as stick (default: as its kind)').choices(['cdrom', 'usb']),
    )
    .option('--memory <MiB>', 'RAM of the machine', wholeNumber, 512)
    .option('--append <parameters>', 'start kernel and initrd of the image directly, with these kernel parameters')
    .addOption(new Option('--machine <type>', 'its chips').choices(MACHINE_TYPES).default('q35'))
    .option(
      '--drive <file[:controller]>',
      'a disk image of the machine, which it may write to, and what the disk is behind (default: virtio); may be repeated',
      collect,
      [],
    )
    .option('--nic <model>', 'a network card (default: one of virtio); may be repeated', collect)
    .option('--device <device>', 'one more device, as `qemu -device` takes it; may be repeated', collect, [])
    .option('--timeout <seconds>', 'how long the ready line may take', wholeNumber, 180)
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      `
A boot menu is left at once with its default entry. The image is never written to. Of a tape the machine sees what a
drive with One Button Disaster Recovery would show: a disc. From a netboot folder it starts by PXE.

Controllers of --drive:
${controllers()}

Models of --nic:
  ${Object.keys(NICS).join(', ')}

Exit status: 0 it is up, 1 the ready line did not come.

Examples:
  mindi boot out/standalone/standalone.iso
  mindi boot standalone.iso --firmware uefi --as usb --memory 256
  mindi boot standalone.iso --firmware secureboot
  mindi boot standalone.img --append 'expert ip=dhcp toram'
  truncate -s 2G disk.img; mindi boot standalone.iso --drive disk.img --json
  mindi boot standalone.iso --drive disk.img:megasas --drive other.img:nvme --nic e1000e
  mindi boot out/netboot --nic e1000
  mindi boot standalone.iso --machine pc --drive disk.img:ide --device usb-kbd`,
    )
    .action(async (image: string, { drive, nic, device, json, ...options }: Options) => {
      const { tryBoot } = await import('../boot/trial.ts');
      talk(`mindi: booting ${image} in QEMU`);
      const result = await tryBoot({
        image,
        ...options,
        drives: drive,
        devices: device,
        ...(nic ? { nics: nic } : {}),
      });
      if (json) answerJson({ image, firmware: options.firmware, ...result });
      else answer(summary(result));
    });
}

function controllers(): string {
  return Object.entries(CONTROLLERS)
    .map(([name, { about }]) => `  ${name.padEnd(13)}${about}`)
    .join('\n');
}

function collect(value: string, values: string[] = []): string[] {
  return [...values, value];
}

function wholeNumber(value: string): number {
  if (/^[1-9]\d{0,6}$/.test(value)) return Number(value);
  throw new InvalidArgumentError('It must be a whole number above 0.');
}

function summary({ seconds, report }: TrialResult): string {
  const { memory, problems, missing, requested } = report;
  const rows = [
    ['ready', `${seconds.toFixed(1)} s after QEMU's start, ${report.seconds.toFixed(1)} s after the kernel's`],
    ['medium', `${report.name}, second stage from ${report.medium ?? 'nowhere'}`],
    ['kernel', `${report.kernel}, ${report.modules.length} modules loaded`],
    ['firmware', report.secureBoot ? 'Secure Boot on' : 'no Secure Boot'],
    ['init', `${report.runtime}, mode ${report.mode}`],
    ['memory', `${memory.total} MiB, ${memory.available} MiB available`],
    ...hardware(report),
    ...listed('missing', [...missing.map(missingDeviceLine), ...requested.map(missingRequestLine)]),
    ...listed('problems', problems),
  ];
  return table(rows);
}

function hardware({ disks, nics, tapes }: ReadyReport): string[][] {
  return [
    ...listed(
      'disks',
      disks.map((disk) => `${disk.name}, ${size(disk.bytes)}, ${disk.model} (${disk.driver})`),
    ),
    ...listed(
      'NICs',
      nics.map((nic) => `${nic.name}, ${nic.mac}, ${nic.link ? 'link' : 'no link'} (${nic.driver})`),
    ),
    ...listed(
      'tapes',
      tapes.map((tape) => `${tape.name}, ${tape.model}`),
    ),
  ];
}

/** One row each, the name before the first; `none` when there is nothing. */
function listed(name: string, items: readonly string[]): string[][] {
  if (items.length === 0) return [[name, 'none']];
  return items.map((item, index) => [index === 0 ? name : '', item]);
}
