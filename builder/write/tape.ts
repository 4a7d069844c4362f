import fs, { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { obdrTape } from '../../boot/obdr.ts';
import { demandBootable } from '../../boot/obdr-rules.ts';
import { isSimh, readSimh, type TapeObject } from '../../boot/simh.ts';
import { MindiError } from '../../contract/error.ts';
import { decodeLabel, TAPE } from '../../contract/tape.ts';
import type { DeviceFacts, DeviceKind, Progress, Target, WriteOptions } from './device.ts';
import { errnoOf, failureOf } from './failures.ts';
import { type MtStatus, mt, mtStatus, setCompression } from './mt.ts';
import { compareRecords, writeRecords } from './records.ts';
import { type ScsiFacts, scsiFacts, startsMachines } from './scsi.ts';

/** Documentation/admin-guide/devices.txt of the kernel: SCSI tapes. */
const MAJOR = 9;

/** SCSI tape drives, written as contract/tape.ts has it. */
export const tapes: DeviceKind = { owns: isTape, look };

function isTape(path: string): boolean {
  const found = fs.statSync(path, { throwIfNoEntry: false });
  return found?.isCharacterDevice() === true && numbers(found.rdev).major === MAJOR;
}

/** As makedev(3) packs them. */
const numbers = (rdev: number) => ({ major: (rdev >> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >> 12) & 0xfff00) });

async function look(path: string, options: WriteOptions): Promise<Target> {
  const { major, minor } = numbers(fs.statSync(path).rdev);
  const drive = scsiFacts(`/sys/dev/char/${major}:${minor}`);
  if (!drive) throw new MindiError('there is no such tape drive', { code: 'write.no-device', where: path });
  return lookInto(notRewinding(drive.name), drive, options);
}

/** Looks at the tape in a drive. The path is one that does not rewind. */
export async function lookInto(device: string, drive: ScsiFacts, options: WriteOptions): Promise<Target> {
  const objects = await imageObjects(options.image);
  const { bytes } = demandBootable(objects(), options.image);
  const status = await mtStatus(device);
  const facts = await factsOf(device, drive, status);
  return {
    facts,
    refusals: refusals(facts, drive, status, options),
    size: bytes,
    write: (progress) => write(device, objects(), bytes, progress, options.note),
    compare: (progress) => compare(device, objects(), bytes, progress),
    eject: async () => void (await mt(device, 'offline')),
  };
}

/** The same drive, not rewound on close: between the image and its label the tape must stay where it is. */
const notRewinding = (name: string) => join('/dev', name.replace(/^st/, 'nst'));

async function imageObjects(image: string): Promise<() => Iterable<TapeObject>> {
  if (!fs.statSync(image, { throwIfNoEntry: false })?.isFile()) {
    const hint = 'Name a .tap or .iso file that `mindi build` made.';
    throw new MindiError('there is no such file', { code: 'image.missing', where: image, hint });
  }
  if (isSimh(image)) return () => readSimh(image);
  const tape = await obdrTape(image);
  return () => tape;
}

async function factsOf(device: string, drive: ScsiFacts, status: MtStatus): Promise<DeviceFacts> {
  return {
    device,
    kind: 'tape drive',
    model: drive.model,
    serial: drive.serial ?? drive.address,
    holds: status.loaded === false ? null : await holds(device),
    more: [
      ['starts machines', startsMachines(drive) ? 'yes ($DR-10)' : 'it does not say so (no $DR-10)'],
      ...(status.density ? [['density', status.density] as const] : []),
      ...(status.protected ? [['protection', 'the tape is write-protected'] as const] : []),
    ],
  };
}

/** What is on the tape, by its first record. */
async function holds(device: string): Promise<string> {
  await mt(device, 'rewind');
  await mt(device, 'setblk', '0');
  try {
    return describe(await firstRecord(device));
  } catch (error) {
    const said = HELD[errnoOf(error)];
    if (said) return said;
    throw failure(error, device, 'Nothing was written.');
  } finally {
    await mt(device, 'rewind').catch(() => {});
  }
}

const HELD: Record<string, string> = {
  ENOMEM: 'something mindi did not write: its first record is longer than 512 bytes',
  EIO: 'nothing that can be read: the tape is new, or damaged',
};

async function firstRecord(device: string): Promise<Buffer> {
  const file = await open(device, constants.O_RDONLY);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(TAPE.header.size), 0, TAPE.header.size, null);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function describe(record: Buffer): string {
  const label = decodeLabel(record);
  if (!label) return record.length === 0 ? 'nothing before a filemark' : 'something mindi did not write';
  return `a tape of mindi: ${label.name}, made ${new Date(label.epoch * 1000).toISOString()}`;
}

function refusals(facts: DeviceFacts, drive: ScsiFacts, status: MtStatus, options: WriteOptions): MindiError[] {
  const where = facts.device;
  const problems: MindiError[] = [];
  if (status.loaded === false)
    problems.push(new MindiError(...knownFailure('ENOMEDIUM', where, 'Nothing was written.')));
  if (status.protected) problems.push(new MindiError(...knownFailure('EROFS', where, 'Nothing was written.')));
  if (!startsMachines(drive) && !options.anyDrive) {
    problems.push(
      new MindiError(`the ${drive.model} does not say that it can start a machine ($DR-10 in its INQUIRY)`, {
        code: 'tape.no-obdr',
        where,
        hint: 'Write with another drive, or say --any-drive: another drive may start it.',
      }),
    );
  }
  return problems;
}

async function write(
  device: string,
  objects: Iterable<TapeObject>,
  total: number,
  progress: Progress,
  note: WriteOptions['note'],
): Promise<void> {
  let done = 0;
  try {
    await mt(device, 'rewind');
    await mt(device, 'setblk', '0');
    // Firmware reads the image as it is.
    await setCompression(device, false, note);
    await writeRecords(
      device,
      objects,
      (bytes) => {
        done += bytes;
        progress(done, total);
      },
      async (files) => {
        if (files === 1) await setCompression(device, true, note);
      },
    );
  } catch (error) {
    throw failure(error, device, stateAfter(done, total));
  }
}

function stateAfter(done: number, total: number): string {
  if (done === 0) return 'Nothing was written.';
  return `Of ${total} bytes ${done} were written: no machine starts from the tape now, and what was on it is lost.`;
}

async function compare(
  device: string,
  objects: Iterable<TapeObject>,
  total: number,
  progress: Progress,
): Promise<void> {
  let done = 0;
  const state = () => `Of ${total} bytes ${done} were read and are right; do not rely on this tape.`;
  try {
    await mt(device, 'rewind');
    await compareRecords(device, objects, (bytes) => {
      done += bytes;
      progress(done, total);
    });
    await mt(device, 'rewind');
  } catch (error) {
    throw failure(error, device, state());
  }
}

/** The error of a system call on the drive in words, with what state the tape is in. */
function failure(error: unknown, where: string, state: string): MindiError {
  if (error instanceof MindiError) {
    const { code, hint, exitCode } = error;
    return new MindiError(`${error.message}. ${state}`, { code, hint, where, exitCode, cause: error });
  }
  const [message, options] = knownFailure(error, where, state);
  return new MindiError(message, { ...options, cause: error });
}

function knownFailure(error: unknown, where: string, state: string) {
  const [code, message, hint] = failureOf(error, 'tape');
  return [`${message}. ${state}`, { code, where, hint, exitCode: 1 as const }] as const;
}
