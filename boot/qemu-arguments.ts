import { existsSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MindiError } from '../contract/error.ts';
import { driveArguments, networkCard, nicArguments, twiceComma } from './controllers.ts';
import type { Firmware, MachineOptions } from './qemu.ts';

const DEFAULT_MEMORY = 512;
/** QEMU's own choice with what all processors since 2012 have: without it the kernel gathers entropy for a second. */
const PROCESSOR = 'qemu64,+rdrand';

type Ovmf = readonly (readonly [code: string, variables: string])[];
/** Code and variables of OVMF: Debian, Fedora, Arch, openSUSE, Alpine. */
const OVMF: Ovmf = [
  ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'],
  ['/usr/share/edk2/ovmf/OVMF_CODE.fd', '/usr/share/edk2/ovmf/OVMF_VARS.fd'],
  ['/usr/share/edk2/x64/OVMF_CODE.4m.fd', '/usr/share/edk2/x64/OVMF_VARS.4m.fd'],
  ['/usr/share/qemu/ovmf-x86_64-code.bin', '/usr/share/qemu/ovmf-x86_64-vars.bin'],
  ['/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd'],
];
/** The same with Secure Boot and Microsoft's keys: Debian, Fedora, openSUSE. */
const SECURE_OVMF: Ovmf = [
  ['/usr/share/OVMF/OVMF_CODE_4M.secboot.fd', '/usr/share/OVMF/OVMF_VARS_4M.ms.fd'],
  ['/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd', '/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd'],
  ['/usr/share/qemu/ovmf-x86_64-smm-ms-code.bin', '/usr/share/qemu/ovmf-x86_64-smm-ms-vars.bin'],
];

/**
 * QEMU's command line for a machine whose first serial port is QEMU's standard input and output.
 * @param folder of this machine alone: for the console's log, and UEFI's variables
 * @throws MindiError `tool.missing` without OVMF, and what controllers.ts throws
 */
export async function qemuArguments(options: MachineOptions, folder: string): Promise<string[]> {
  const { memory = DEFAULT_MEMORY, machine = 'q35', nics = ['virtio'], serial = true } = options;
  const { more = [], devices = [], drives = [] } = options;
  const kind = options.firmware === 'secureboot' ? `${machine},smm=on` : machine;
  const console = [
    ...['-chardev', `stdio,id=console,signal=off,logfile=${join(folder, 'console.log')}`],
    ...['-serial', serial ? 'chardev:console' : 'none'],
  ];
  return [
    ...['-machine', kind, '-accel', 'tcg', '-cpu', PROCESSOR, '-m', String(memory)],
    ...['-nodefaults', '-display', 'none', '-vga', 'std'],
    ...['-no-reboot', '-device', 'qemu-xhci,id=usb', '-rtc', 'base=utc'],
    ...(options.card ? networkCard(options.card, (options.firmware ?? 'bios') !== 'bios') : nicArguments(nics)),
    ...console,
    ...(await firmwareDevices(options.firmware, folder)),
    ...(options.direct ? directBoot(options.direct) : []),
    ...(options.medium ? mediumDevice(options.medium) : []),
    ...driveArguments(drives, 2, machine),
    ...devices.flatMap((device) => ['-device', device]),
    ...more,
  ];
}

async function firmwareDevices(firmware: Firmware | undefined, folder: string): Promise<string[]> {
  if (firmware === 'secureboot')
    // Only the firmware itself may write its variables.
    return [...(await ovmf(SECURE_OVMF, folder)), '-global', 'driver=cfi.pflash01,property=secure,value=on'];
  return firmware === 'uefi' ? ovmf(OVMF, folder) : [];
}

async function ovmf(places: Ovmf, folder: string): Promise<string[]> {
  const found = places.find((files) => files.every((file) => existsSync(file)));
  if (!found) {
    const kind = places === OVMF ? 'OVMF' : 'OVMF with Secure Boot';
    throw new MindiError(`no UEFI firmware for QEMU (${kind}) on this machine`, {
      code: 'tool.missing',
      hint: 'Install the package ovmf (Fedora: edk2-ovmf), or boot with --firmware bios.',
    });
  }
  const [code, variables] = found;
  const own = join(folder, 'variables.fd');
  await copyFile(variables, own);
  return [
    ...['-drive', `if=pflash,format=raw,readonly=on,file=${twiceComma(code)}`],
    ...['-drive', `if=pflash,format=raw,file=${twiceComma(own)}`],
  ];
}

function directBoot({ kernel, initrd, append }: NonNullable<MachineOptions['direct']>): string[] {
  return ['-kernel', kernel, '-initrd', initrd, '-append', append];
}

function mediumDevice({ path, as }: NonNullable<MachineOptions['medium']>): string[] {
  const device = as === 'cdrom' ? 'ide-cd,drive=medium,bootindex=1' : 'usb-storage,bus=usb.0,drive=medium,bootindex=1';
  const media = as === 'cdrom' ? 'media=cdrom' : 'media=disk';
  return ['-drive', `if=none,id=medium,format=raw,readonly=on,${media},file=${twiceComma(path)}`, '-device', device];
}
