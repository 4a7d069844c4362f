import fs, { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { MindiError, messageOf } from '../../contract/error.ts';
import { run } from '../run.ts';
import { everyBlock, listBlocks } from './block.ts';
import { burn, type Disc, lookAtDisc } from './burner.ts';
import type { DeviceKind, Progress, Target, WriteOptions } from './device.ts';
import { deviceNumber } from './disk.ts';
import { type BootImage, bootImage } from './image.ts';
import { findDifference, RawError } from './raw.ts';
import { scsiFacts } from './scsi.ts';
import { describeVolume, volumeAt } from './volume.ts';

/** Documentation/admin-guide/devices.txt of the kernel: SCSI CD-ROM devices. */
const MAJOR = '11';
const BLOCK = 2048;

/** Optical discs in a burner, through xorriso. */
export const discs: DeviceKind = { owns: isDrive, look };

function isDrive(path: string): boolean {
  const found = fs.statSync(path, { throwIfNoEntry: false });
  return found?.isBlockDevice() === true && deviceNumber(found.rdev).split(':')[0] === MAJOR;
}

async function look(path: string, options: WriteOptions): Promise<Target> {
  const image = bootImage(options.image);
  const number = deviceNumber(fs.statSync(path).rdev);
  const drive = [...everyBlock(await listBlocks())].find((one) => one['maj:min'] === number);
  if (!drive) throw new MindiError('there is no such drive', { code: 'write.no-device', where: path });
  const writes = canWrite(fs.readFileSync('/proc/sys/dev/cdrom/info', 'utf8'), drive.kname);
  const disc = writes ? await lookAtDisc(drive.path) : NONE;
  const scsi = scsiFacts(`/sys/dev/block/${number}`);
  const volume = volumeAt(drive.path);
  for (const note of image.notes) options.note(note);
  return {
    facts: {
      device: drive.path,
      kind: writes ? 'burner' : 'drive',
      model: scsi?.model ?? 'it does not say',
      serial: scsi?.serial ?? drive.path,
      holds: volume ? describeVolume(volume) : disc.kind && `${disc.kind}, ${disc.state}`,
      more: [
        ['disc', disc.kind ? `${disc.kind}, ${disc.state}` : 'none that can be written'],
        ['image', image.title],
      ],
    },
    refusals: discRefusals({
      drive: drive.path,
      writes,
      disc,
      image,
      blank: options.blank ?? false,
      mounted: drive.mountpoints.find((at) => at !== null) ?? null,
    }),
    size: image.size,
    write: (progress) => burn(drive.path, image.path, options.blank ?? false, progress),
    compare: (progress) => compareDisc(drive.path, image, progress),
    eject: async () => void (await run('eject', [drive.path], { package: 'eject' })),
  };
}

const NONE: Disc = { kind: null, state: 'none', rewritable: false, room: null };

/** What the kernel found out of a drive: one line an ability, one column a drive. */
export function canWrite(info: string, drive: string): boolean {
  const rows = info.split('\n').map((line) => line.split(/:\s*/, 2));
  const column =
    rows
      .find(([name]) => name === 'drive name')?.[1]
      ?.split(/\s+/)
      .indexOf(drive) ?? -1;
  return rows.some(([name, values]) => /^Can write/.test(name ?? '') && values?.split(/\s+/)[column] === '1');
}

/** All that decides whether a disc may be burned. */
export interface DiscCase {
  drive: string;
  /** It is a burner. */
  writes: boolean;
  disc: Disc;
  image: Pick<BootImage, 'path' | 'size' | 'starts'>;
  blank: boolean;
  /** The directory its disc is mounted at. */
  mounted: string | null;
}

/** Why a disc must not be burned, all reasons. */
export function discRefusals({ drive, writes, disc, image, blank, mounted }: DiscCase): MindiError[] {
  const { kind, state, rewritable, room } = disc;
  const rules: readonly (readonly [boolean, string, string, string])[] = [
    [!writes, 'disc.no-burner', 'this drive reads discs and cannot burn them', 'Name a burner, or write to a stick.'],
    [
      writes && state === 'none',
      'disc.none',
      'there is no disc in it that can be written',
      'Put in a blank CD, DVD or BD, and wait until the drive is ready.',
    ],
    [
      state === 'written' && !rewritable,
      'disc.written',
      `the ${kind} in it is written already, and is not rewritable`,
      'Put in a blank one.',
    ],
    [
      state === 'written' && rewritable && !blank,
      'disc.not-blank',
      `the ${kind} in it is written already`,
      'Put in a blank one, or say --blank: what is on it is lost then.',
    ],
    [mounted !== null, 'write.mounted', `its disc is mounted on ${mounted}`, `Unmount it first: umount ${mounted}`],
    [
      room !== null && room < image.size,
      'write.too-small',
      `the image needs ${image.size} bytes, and the disc has room for ${room}`,
      'Take a disc with more room, or put less on the medium.',
    ],
    [
      !image.starts.includes('cdrom'),
      'write.stick-only',
      `${image.path} starts machines from a stick only: it is no ISO`,
      'Name the .iso, or write this one to a stick.',
    ],
  ];
  return rules.flatMap(([applies, code, message, hint]) =>
    applies ? [new MindiError(message, { code, hint, where: drive })] : [],
  );
}

/** Reads a disc back and compares it with the image it was burned from. */
export async function compareDisc(
  drive: string,
  image: Pick<BootImage, 'path' | 'size'>,
  progress: Progress,
): Promise<void> {
  const { size } = image;
  const file = await open(image.path, 'r');
  let device: FileHandle | undefined;
  try {
    device = await open(drive, constants.O_RDONLY | constants.O_DIRECT);
    const wrong = await findDifference(file, device, { size, block: BLOCK }, (done) => progress(done, size));
    if (wrong !== undefined) throw unreadable(drive, `holds something else from byte ${wrong} on`);
  } catch (error) {
    if (!(error instanceof RawError)) throw error;
    throw unreadable(drive, `cannot be read from byte ${error.done} on (${messageOf(error.cause)})`, error);
  } finally {
    await Promise.all([file.close(), device?.close()]);
  }
}

function unreadable(where: string, how: string, cause?: unknown): MindiError {
  return new MindiError(`the disc was burned, but it ${how}: do not rely on it`, {
    code: 'write.differs',
    where,
    hint: 'Take another disc, or burn slower.',
    exitCode: 1,
    cause,
  });
}
