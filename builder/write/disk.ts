import fs, { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { MindiError } from '../../contract/error.ts';
import { run } from '../run.ts';
import {
  type Block,
  type Content,
  contents,
  type DiskFacts,
  diskFacts,
  everyBlock,
  identity,
  lastingName,
  listBlocks,
  within,
} from './block.ts';
import type { DeviceFacts, DeviceKind, Progress, Target, WriteOptions } from './device.ts';
import { type DiskCase, refusals } from './disk-refusals.ts';
import { errnoOf, failureOf } from './failures.ts';
import { type BootImage, bootImage } from './image.ts';
import { alignedBuffer, copyToDevice, findDifference, RawError } from './raw.ts';
import { describeVolume, volumeAt } from './volume.ts';

/** Documentation/admin-guide/devices.txt of the kernel: SCSI CD-ROM devices, which disc.ts has. */
const OPTICAL = 11;
/** Bytes at a disk's end where copies of partition tables and the marks of RAID and ZFS lie. */
const TAIL = 1 << 20;
/** Milliseconds in which the kernel notices that a disk was pulled out. */
const MOMENT = 1000;

/** USB sticks, memory cards and other disks: the image byte by byte from the first sector on. */
export const disks: DeviceKind = { owns: isDisk, look };

function isDisk(path: string): boolean {
  const found = fs.statSync(path, { throwIfNoEntry: false });
  return found?.isBlockDevice() === true && deviceNumber(found.rdev).split(':')[0] !== String(OPTICAL);
}

/** `8:16`, from what makedev(3) packs. */
export const deviceNumber = (dev: number) => `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`;

async function look(path: string, options: WriteOptions): Promise<Target> {
  const image = bootImage(fs.existsSync(options.image) ? fs.realpathSync(options.image) : options.image);
  const all = [...everyBlock(await listBlocks())];
  const number = deviceNumber(fs.statSync(path).rdev);
  const block = all.find((one) => one['maj:min'] === number);
  if (!block) throw new MindiError('there is no such disk', { code: 'write.no-device', where: path });
  const own = diskFacts(block);
  const found = await contents([block, ...partitions(block)].map((one) => one.path));
  const facts = factsOf(block, own, image, found);
  const disk: Disk = { block, own, image, noun: facts.kind, note: options.note };
  for (const note of image.notes) options.note(note);
  return {
    facts,
    refusals: refusals({
      block,
      disk: all.find(({ kname }) => kname === block.pkname),
      image,
      removable: own.removable,
      file: own.file,
      imageOn: deviceNumber(fs.statSync(image.path).dev),
      access: await access(block.path),
      force: options.force ?? false,
    }),
    size: image.size,
    write: (progress) => write(disk, progress),
    compare: (progress) => compare(disk, progress),
    eject: async () => void (await run('eject', [block.path], { package: 'eject' })),
  };
}

interface Disk {
  block: Block;
  own: DiskFacts;
  image: BootImage;
  noun: string;
  note: WriteOptions['note'];
}

/** Whether a file system, a volume manager or another program has the disk, or a part of it, for itself. */
async function access(path: string): Promise<DiskCase['access']> {
  try {
    await (await open(path, constants.O_RDONLY | constants.O_EXCL)).close();
    return 'free';
  } catch (error) {
    const code = errnoOf(error);
    return code === 'EBUSY' ? 'busy' : code === 'EACCES' || code === 'EPERM' ? 'denied' : 'free';
  }
}

function factsOf(block: Block, own: DiskFacts, image: BootImage, found: Map<string, Content>): DeviceFacts {
  const { path, tran } = block;
  const words = [block.vendor, block.model].map((word) => word?.trim() ?? '');
  const model = words.filter((word) => word !== '' && !/^0x/.test(word)).join(' ');
  const table = found.get(path)?.table;
  return {
    device: path,
    kind: kindOf(block, own),
    model: model || 'it does not say',
    serial: own.serial ?? lastingName(path) ?? path,
    holds: block.size === 0 ? null : holds(block, found.get(path)),
    more: [
      ['size', `${inUnits(block.size)}${tran ? `, ${tran}` : ''}${own.removable ? ', removable' : ''}`],
      ...(own.file ? [['file', own.file] as const] : []),
      ...(table ? [['partitions', table] as const] : []),
      ...partitions(block).map((part) => [part.kname, describePart(part, found.get(part.path))] as const),
      ['image', `${image.title}, ${inUnits(image.size)}`],
    ],
  };
}

const partitions = (block: Block) => within(block).filter(({ type }) => type === 'part');

function kindOf({ type, tran, kname }: Block, { removable }: DiskFacts): string {
  if (type === 'part') return 'partition';
  if (type === 'loop') return 'loop device';
  if (kname.startsWith('mmcblk')) return removable ? 'memory card' : 'disk';
  return tran === 'usb' && removable ? 'USB stick' : 'disk';
}

function holds(block: Block, content: Content | undefined): string {
  const volume = volumeAt(block.path);
  if (volume) return describeVolume(volume);
  const count = partitions(block).length;
  if (count > 0) return `${count} ${count === 1 ? 'partition' : 'partitions'}`;
  return describe(content);
}

const describe = ({ type, label }: Content = {}) => `${type ?? 'nothing known'}${label ? ` "${label}"` : ''}`;

function describePart({ size, mountpoints }: Block, content: Content | undefined): string {
  const at = mountpoints.filter((mountpoint) => mountpoint !== null);
  return `${inUnits(size)}, ${describe(content)}${at.length > 0 ? `, on ${at.join(', ')}` : ''}`;
}

/** Whole MiB below 10 GiB, else GiB. */
function inUnits(bytes: number): string {
  return bytes < 10 * 2 ** 30 ? `${Math.floor(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

async function write(disk: Disk, progress: Progress): Promise<void> {
  const { block, image, noun } = disk;
  let done = 0;
  let touched = false;
  let device: FileHandle | undefined;
  const file = await open(image.path, 'r');
  try {
    device = await open(block.path, constants.O_RDWR | constants.O_EXCL | constants.O_DIRECT);
    await demandSame(disk, device);
    touched = true;
    await wipeTail(disk, device);
    await copyToDevice(file, device, { size: image.size, block: block['log-sec'] }, (bytes) => {
      done = bytes;
      progress(bytes, image.size);
    });
    await device.datasync();
  } catch (error) {
    const right = error instanceof RawError ? error.done : done;
    throw await failure(error, disk, touched ? halfWritten(right, image.size, noun) : 'Nothing was written.');
  } finally {
    await Promise.all([file.close(), device?.close()]);
  }
}

function halfWritten(done: number, size: number, noun: string): string {
  const lost = `what was on the ${noun} is lost`;
  if (done >= size) return `All was handed over, but the ${noun} did not confirm it: do not rely on it, and ${lost}.`;
  if (done === 0) return `Nothing of the image is on the ${noun}: no machine starts from it, and ${lost}.`;
  return `The first ${inUnits(done)} are written, the rest is not: no machine starts from it, and ${lost}.`;
}

/** @throws MindiError `write.changed` when the path means another disk than the one that was shown */
async function demandSame({ block, own }: Disk, device: FileHandle): Promise<void> {
  const now = identity(block);
  const { rdev } = await device.stat();
  const same = now.serial === own.serial && now.size === own.size && now.sequence === own.sequence;
  if (same && deviceNumber(rdev) === block['maj:min']) return;
  throw new MindiError('this is not the disk any more that was shown: it was changed meanwhile', {
    code: 'write.changed',
    where: block.path,
    hint: 'Look at it again: run the command again.',
    exitCode: 1,
  });
}

/** Old copies of a partition table and marks of a RAID behind the image would have systems take the disk for that. */
async function wipeTail({ block, image, noun, note }: Disk, device: FileHandle): Promise<void> {
  const from = Math.max(block.size - TAIL, Math.ceil(image.size / block['log-sec']) * block['log-sec']);
  if (from >= block.size) return;
  const tail = alignedBuffer(block.size - from);
  const { bytesRead } = await device.read(tail, 0, tail.length, from);
  if (bytesRead === 0 || !tail.some((byte) => byte !== 0)) return;
  const what = tail.includes('EFI PART') ? 'the copy of an old partition table (GPT)' : 'old data';
  await device.write(tail.fill(0), 0, tail.length, from);
  note(`${what} at the end of the ${noun} was wiped`);
}

async function compare(disk: Disk, progress: Progress): Promise<void> {
  const { block, image, noun } = disk;
  const { size } = image;
  let device: FileHandle | undefined;
  const file = await open(image.path, 'r');
  try {
    device = await open(block.path, constants.O_RDONLY | constants.O_EXCL | constants.O_DIRECT);
    await demandSame(disk, device);
    const wrong = await findDifference(file, device, { size, block: block['log-sec'] }, (bytes) =>
      progress(bytes, size),
    );
    if (wrong !== undefined) throw differs(block.path, wrong, noun);
    await noteBackup(disk, device);
  } catch (error) {
    const done = error instanceof RawError ? error.done : 0;
    const state = `Of what was written the first ${inUnits(done)} could be read and are right; do not rely on this ${noun}.`;
    throw await failure(error, disk, state);
  } finally {
    await Promise.all([file.close(), device?.close()]);
  }
  // Whoever has looked at the old partitions looks again; where that fails, pulling it out does the same.
  await run('blockdev', ['--rereadpt', block.path]).catch(() => {});
}

function differs(where: string, byte: number, noun: string): MindiError {
  return new MindiError(
    `what was read back differs from what was written, from byte ${byte} on. ` +
      `The ${noun} is damaged, or smaller than it says: no machine can be trusted to start from it.`,
    { code: 'write.differs', where, hint: `Take another ${noun}.`, exitCode: 1 },
  );
}

/** A GPT's copy belongs at the end of the disk; after a smaller image it is at the image's end. */
async function noteBackup({ block, image, note }: Disk, device: FileHandle): Promise<void> {
  if (block.size - image.size < block['log-sec']) return;
  const start = alignedBuffer(2 * block['log-sec']);
  await device.read(start, 0, start.length, 0);
  if (start.toString('latin1', block['log-sec'], block['log-sec'] + 8) !== 'EFI PART') return;
  note(
    "the copy of its partition table (GPT) is at the image's end, not at the disk's: machines start from it all the " +
      `same, and \`sgdisk --move-second-header ${block.path}\` moves it where other tools look for it`,
  );
}

/** An error on a disk in words, with what state the disk is in. */
async function failure(error: unknown, disk: Disk, state: string): Promise<MindiError> {
  if (error instanceof MindiError) return error;
  const cause = error instanceof RawError ? error.cause : error;
  const [code, message, hint] = failureOf((await isGone(disk)) ? 'ENODEV' : cause, 'disk');
  const where = disk.block.path;
  return new MindiError(`${message}. ${state}`, { code, where, hint, exitCode: 1, cause: error });
}

/** Writing fails a moment before the kernel has taken a disk out of its lists. */
async function isGone({ block }: Disk): Promise<boolean> {
  if (identity(block).size > 0) await sleep(MOMENT);
  return identity(block).size === 0;
}
