import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Step } from '../boot.ts';
import { log } from '../log.ts';
import { busybox } from '../process.ts';

interface Mount {
  type: string;
  place: string;
  options: string;
  /** Only where this exists. */
  if?: string;
}

/** What the shim left: proc, sys, dev, run and tmp are there already. */
const MOUNTS: readonly Mount[] = [
  { type: 'devpts', place: '/dev/pts', options: 'nosuid,noexec,gid=5,mode=620,ptmxmode=666' },
  { type: 'tmpfs', place: '/dev/shm', options: 'nosuid,nodev,mode=1777,size=10%' },
  {
    type: 'efivarfs',
    place: '/sys/firmware/efi/efivars',
    options: 'nosuid,noexec,nodev',
    if: '/sys/firmware/efi/efivars',
  },
];

/** Settings of the kernel: write() failures are ignored, an older kernel may not have one. */
const SETTINGS: readonly { file: string; value: string }[] = [
  // The kernel looks for exchanged discs itself and tells by a device event.
  { file: '/sys/module/block/parameters/events_dfl_poll_msecs', value: '2000' },
  // Nothing configures itself from a network nobody asked for.
  { file: '/proc/sys/net/ipv6/conf/default/accept_ra', value: '0' },
];

export const mounts: Step = {
  name: 'mounts',
  async run() {
    const mounted = readFileSync('/proc/mounts', 'utf8');
    for (const { type, place, options, if: condition } of MOUNTS) {
      if (mounted.includes(` ${place} `) || (condition && !existsSync(condition))) continue;
      mkdirSync(place, { recursive: true });
      await busybox(['mount', '-t', type, '-o', options, type, place]);
    }
    for (const { file, value } of SETTINGS) set(file, value);
    if (hostname() === '(none)') set('/proc/sys/kernel/hostname', 'mindi');
  },
};

function set(file: string, value: string): void {
  try {
    writeFileSync(file, value);
  } catch (error) {
    log(`${file} stays as it is: ${(error as Error).message}`);
  }
}
