import fs from 'node:fs';
import { basename, join } from 'node:path';
import { run } from '../run.ts';
import { scsiFacts } from './scsi.ts';

/** A block device as lsblk(8) tells it, and what is built on it: partitions, volumes, arrays. */
export interface Block {
  /** The kernel's name: `sdb1`, `dm-0`. */
  kname: string;
  /** The kernel's name of the disk a partition is on. */
  pkname: string | null;
  path: string;
  'maj:min': string;
  /** `disk`, `part`, `loop`, `rom`, `lvm`, `crypt`, `raid1`, … */
  type: string;
  /** Bytes. */
  size: number;
  ro: boolean;
  rm: boolean;
  /** `usb`, `sata`, `nvme`, …; null where lsblk knows none. */
  tran: string | null;
  vendor: string | null;
  model: string | null;
  serial: string | null;
  /** Bytes of a block. */
  'log-sec': number;
  /** Directories, and `[SWAP]`. */
  mountpoints: (string | null)[];
  children?: Block[];
}

/** With NAME lsblk makes a tree, and a list without it. */
const COLUMNS = 'NAME,KNAME,PKNAME,PATH,MAJ:MIN,TYPE,SIZE,RO,RM,TRAN,VENDOR,MODEL,SERIAL,LOG-SEC,MOUNTPOINTS';

/** All block devices of this machine, empty drives too. */
export async function listBlocks(): Promise<Block[]> {
  const { stdout } = await run('lsblk', ['--json', '--bytes', '--all', '--output', COLUMNS]);
  return withBtrfs((JSON.parse(stdout) as { blockdevices: Block[] }).blockdevices, btrfsDevices());
}

/** The devices of each btrfs that is mounted, by the kernel's names. */
function btrfsDevices(root = '/sys/fs/btrfs'): string[][] {
  const systems = fs.existsSync(root) ? fs.readdirSync(root) : [];
  const folders = systems.map((system) => join(root, system, 'devices')).filter((folder) => fs.existsSync(folder));
  return folders.map((folder) => fs.readdirSync(folder));
}

/** A btrfs is on all of its devices, but lsblk shows its directories at one of them. */
export function withBtrfs(blocks: Block[], systems: readonly string[][]): Block[] {
  for (const names of systems) {
    const members = [...everyBlock(blocks)].filter(({ kname }) => names.includes(kname));
    const mountpoints = [...new Set(members.flatMap((block) => block.mountpoints))];
    for (const member of members) member.mountpoints = mountpoints;
  }
  return blocks;
}

/** Devices and what is built on them, each before that. */
export function* everyBlock(blocks: readonly Block[]): Generator<Block> {
  for (const block of blocks) {
    yield block;
    yield* everyBlock(block.children ?? []);
  }
}

/** Partitions of a disk and all that is built on it and them; each once. */
export function within(block: Block): Block[] {
  const all = [...everyBlock(block.children ?? [])];
  return all.filter(({ kname }, index) => all.findIndex((other) => other.kname === kname) === index);
}

/** What lsblk does not tell of a disk; from sysfs. */
export interface DiskIdentity {
  serial: string | null;
  /** Bytes. */
  size: number;
  /** Counts every disk that ever came: another one in the same place has another number. Null before Linux 5.15. */
  sequence: string | null;
}

export interface DiskFacts extends DiskIdentity {
  /** Made to be taken out: the kernel says so, or it is an SD card. */
  removable: boolean;
  /** The file behind a loop device. */
  file: string | null;
}

/** @param sys /sys, or a copy of it */
export function diskFacts(block: Block, sys = '/sys'): DiskFacts {
  const entry = join(sys, 'dev/block', block['maj:min']);
  return {
    ...identity(block, sys),
    removable: block.rm || text(join(entry, 'device/type')) === 'SD',
    file: text(join(entry, 'loop/backing_file')),
  };
}

/** What tells a disk from all others; size 0 when it is gone. */
export function identity(block: Block, sys = '/sys'): DiskIdentity {
  const entry = join(sys, 'dev/block', block['maj:min']);
  try {
    const own = text(join(entry, 'serial')) ?? text(join(entry, 'device/serial'));
    return {
      serial: block.serial ?? usbSerial(entry) ?? scsiFacts(entry)?.serial ?? own,
      size: Number(text(join(entry, 'size')) ?? 0) * 512,
      sequence: text(join(entry, 'diskseq')),
    };
  } catch {
    // It is being pulled out: its directories vanish while they are read.
    return { serial: null, size: 0, sequence: null };
  }
}

/** The serial number of the USB device above, as udev takes it: what is behind a bridge has none of its own. */
function usbSerial(entry: string): string | null {
  if (!fs.existsSync(join(entry, 'device'))) return null;
  const parts = fs.realpathSync(join(entry, 'device')).split('/');
  for (let depth = parts.length; depth > 1; depth -= 1) {
    const above = parts.slice(0, depth).join('/');
    if (fs.existsSync(join(above, 'idVendor'))) return text(join(above, 'serial'));
  }
  return null;
}

function text(path: string): string | null {
  try {
    return fs.readFileSync(path, 'utf8').trim() || null;
  } catch {
    return null;
  }
}

/** Names by which udev knows a device for good; none without udev. */
export function lastingName(path: string, folder = '/dev/disk/by-id'): string | null {
  const names = fs.existsSync(folder) ? fs.readdirSync(folder).sort() : [];
  return names.find((name) => basename(fs.realpathSync(join(folder, name))) === basename(path)) ?? null;
}

/** What blkid(8) finds on a device: a partition table, a file system, a member of something. */
export interface Content {
  table?: string;
  type?: string;
  label?: string;
}

/** Looks at the devices themselves: lsblk knows these things from udev only. By path; without those that hold nothing. */
export async function contents(paths: readonly string[]): Promise<Map<string, Content>> {
  // 2: nothing found on one of them, 8: more than one thing.
  const { stdout } = await run('blkid', ['--probe', '--output', 'export', ...paths], { accept: [2, 4, 8] });
  return parseContents(stdout);
}

/** Reads what `blkid --output export` prints: a paragraph a device. */
export function parseContents(text: string): Map<string, Content> {
  const found = new Map<string, Content>();
  for (const paragraph of text.split('\n\n')) {
    const value = (name: string) =>
      new RegExp(`^${name}=(.*)$`, 'm').exec(paragraph)?.[1]?.replaceAll(/\\(.)/g, '$1') || undefined;
    const path = value('DEVNAME');
    if (path) found.set(path, { table: value('PTTYPE'), type: value('TYPE'), label: value('LABEL') });
  }
  return found;
}
