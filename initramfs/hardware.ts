import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { ReadyReport } from '../contract/report.ts';
import { adapterDriver, attribute, list } from './devices.ts';

/** Block devices that are no disks: RAM, loops, drives with exchangeable discs, and what is stacked on disks. */
const NO_DISK = /^(ram|loop|zram|sr|fd|md|dm-|nbd|mtdblock|zd)|boot\d$|rpmb$/;

/** The machine's disks, with size in bytes and the driver of their adapter. */
export function disks(): ReadyReport['disks'] {
  return list('/sys/block')
    .filter((name) => !NO_DISK.test(name))
    .map((name) => ({
      name,
      bytes: Number(attribute('/sys/block', name, 'size')) * 512,
      model: model(join('/sys/block', name, 'device')),
      driver: adapterDriver(join('/sys/block', name)),
    }));
}

/** Network interfaces that are hardware. `link`: the cable is in and the other side answers. */
export function nics(): ReadyReport['nics'] {
  return list('/sys/class/net')
    .filter((name) => adapterDriver(join('/sys/class/net', name)) !== '')
    .map((name) => ({
      name,
      mac: attribute('/sys/class/net', name, 'address'),
      driver: adapterDriver(join('/sys/class/net', name)),
      link: attribute('/sys/class/net', name, 'carrier') === '1',
      addresses: addressesOf(name),
    }));
}

/** With their prefix; without those IPv6 has by itself. */
export function addressesOf(nic: string): string[] {
  const all = networkInterfaces()[nic] ?? [];
  return all.flatMap(({ cidr, address }) => (cidr && !address.startsWith('fe80:') ? cidr : []));
}

/** Tape drives: st0, not its other names (nst0, st0l, …). */
export function tapes(): ReadyReport['tapes'] {
  return list('/sys/class/scsi_tape')
    .filter((name) => /^st\d+$/.test(name))
    .map((name) => ({ name, model: model(join('/sys/class/scsi_tape', name, 'device')) }));
}

/** MiB of /proc/meminfo. */
export function memory(): ReadyReport['memory'] {
  const text = readFileSync('/proc/meminfo', 'latin1');
  const mebibytes = (key: string) =>
    Math.floor(Number(new RegExp(`^${key}: +(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1024);
  return { total: mebibytes('MemTotal'), available: mebibytes('MemAvailable') };
}

/** Offset of `secure_boot` in x86's boot_params, and what the kernel's EFI stub writes there (include/linux/efi.h). */
const SECURE_BOOT = { offset: 0x1ec, enabled: 3 } as const;

/** Whether the kernel was started with Secure Boot on. shim switched to "insecure" counts as off, as for the kernel. */
export function secureBoot(): boolean {
  try {
    return readFileSync('/sys/kernel/boot_params/data')[SECURE_BOOT.offset] === SECURE_BOOT.enabled;
  } catch {
    return false;
  }
}

/** Loaded modules, sorted. */
export function loadedModules(): string[] {
  return readFileSync('/proc/modules', 'latin1')
    .split('\n')
    .map((line) => line.slice(0, line.indexOf(' ')))
    .filter(Boolean)
    .sort();
}

function model(device: string): string {
  const parts = [attribute(device, 'vendor'), attribute(device, 'model') || attribute(device, 'name')];
  // virtio's vendor is a number.
  return parts.filter((part) => part && !part.startsWith('0x')).join(' ');
}
