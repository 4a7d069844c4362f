import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { decodeLabel, type TapeData, type TapeLabel } from '../../contract/tape.ts';
import { list } from '../devices.ts';
import { busybox, complaint } from '../process.ts';
import { SourceError } from './source.ts';

/** Seconds: as long as the kernel itself waits for a drive that winds (ST_LONG_TIMEOUT of drivers/scsi/st.c). */
const LIMIT = 14_000;
/** Bytes; longer than any label. A longer record is none, and the driver says so. */
const LABEL_BUFFER = 64 * 1024;
/** Filemarks in a row behind which there is nothing more. */
const FILEMARKS = 8;
/** Files of a tape before its label; a tape of something else may have thousands. */
const FILES = 64;
/** errno(3); Node has no name for it. */
const ENOMEDIUM = -123;

/** Drives, as they do not rewind when they are closed: `/dev/nst0`. */
export function tapeDrives(): string[] {
  return list('/sys/class/scsi_tape')
    .filter((name) => /^nst\d+$/.test(name))
    .map((name) => `/dev/${name}`);
}

/** A label and the drive it was found in, whose tape stands behind it. */
export interface FoundLabel {
  device: string;
  label: TapeLabel & { data: TapeData };
}

/**
 * Winds to the label that tells where restore data are. Nothing is counted: the first record behind each filemark is
 * read until it is that label.
 * @returns a string when there is none: what follows the drive's name in a sentence
 */
export async function findLabel(device: string): Promise<FoundLabel | string> {
  for (const operation of [['rewind'], ['setblk', '0']]) {
    const failure = await wind(device, ...operation);
    if (failure) return failure;
  }
  let known = 'holds a tape that mindi did not write';
  for (let file = 0; file < FILES; file += 1) {
    const record = await firstRecord(device);
    if (typeof record === 'string') return file === 0 ? record : known;
    const label = decodeLabel(record);
    if (label?.data) return { device, label: { ...label, data: label.data } };
    if (label) known = `holds the tape ${label.name}, which has no restore data`;
    if (label?.data === null || (await wind(device, 'fsf', '1')) !== null) return known;
  }
  return known;
}

/** A record, empty at a filemark; a string when the drive cannot be read. */
async function firstRecord(device: string): Promise<Buffer | string> {
  let tape: FileHandle | undefined;
  try {
    tape = await open(device);
    const { buffer, bytesRead } = await tape.read(Buffer.alloc(LABEL_BUFFER), 0, LABEL_BUFFER, null);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    const { code, errno, message } = error as NodeJS.ErrnoException;
    // A record that is longer than any label.
    if (code === 'ENOMEM') return Buffer.alloc(0);
    return errno === ENOMEDIUM ? 'has no tape in it' : `cannot be read: ${message}`;
  } finally {
    await tape?.close();
  }
}

/**
 * The data behind the label: all records up to the next filemark, without the filemarks drivers wrote before them.
 * @param offset bytes that are passed over
 */
export function tapeStream(found: FoundLabel, offset: number): Readable {
  return Readable.from(skip(records(found), offset), { objectMode: false });
}

async function* records({ device, label }: FoundLabel): AsyncGenerator<Buffer> {
  const tape = await open(device);
  let bytes = 0;
  try {
    for (let filemarks = 0; filemarks < FILEMARKS; ) {
      // One at a time: of several, the system would not tell a filemark behind them from a fault.
      const { buffer, bytesRead } = await tape.read(Buffer.allocUnsafe(label.data.record));
      bytes += bytesRead;
      if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
      else if (bytes > 0) return;
      else filemarks += 1;
    }
    throw new Error('there are filemarks only');
  } catch (error) {
    throw new SourceError(
      `The tape in ${basename(device)} cannot be read beyond byte ${bytes} of its data: ${(error as Error).message}.`,
      'Look at the cable of the drive, clean it, or take a copy of the tape; then try again, or choose another source.',
    );
  } finally {
    await tape.close();
  }
}

async function* skip(pieces: AsyncIterable<Buffer>, offset: number): AsyncGenerator<Buffer> {
  let left = offset;
  for await (const piece of pieces) {
    if (left < piece.length) yield piece.subarray(left);
    left = Math.max(0, left - piece.length);
  }
}

/** Lets the tape go: rewinds it, and where the drive can, throws it out. Null, or what was wrong. */
export function eject(device: string): Promise<string | null> {
  return wind(device, 'offline');
}

/** An operation of mt(1). Null when it is done, else what follows the drive's name in a sentence. */
async function wind(device: string, ...operation: string[]): Promise<string | null> {
  const done = await busybox(['mt', '-f', device, ...operation], { limit: LIMIT });
  if (done.code === 0) return null;
  const said = complaint(done);
  return /No medium/i.test(said) ? 'has no tape in it' : `does not ${operation[0]}: ${said}`;
}
