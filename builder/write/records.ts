import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { TapeObject } from '../../boot/simh.ts';
import { MindiError } from '../../contract/error.ts';
import { TAPE } from '../../contract/tape.ts';

/** Records a system call moves: the kernel makes one record of each part of a writev. At most 1,024 are allowed. */
const BATCH = 512;

/**
 * Writes records of exactly their sizes. Each file of the tape is one open(): the driver ends it with a filemark when it
 * is closed. The drive must be in variable-block mode and must not rewind on close.
 * @param wrote hears of the bytes of each batch
 * @param marked is called after each filemark, while nobody has the drive open
 */
export async function writeRecords(
  device: string,
  objects: Iterable<TapeObject>,
  wrote: (bytes: number) => void,
  marked: (files: number) => Promise<void>,
): Promise<void> {
  let file: FileHandle | undefined;
  let files = 0;
  try {
    for (const batch of batches(objects)) {
      if (batch) {
        // Not `w`: where the device has gone, no file may take its place.
        file ??= await open(device, constants.O_WRONLY);
        wrote(await writeBatch(file, batch));
      } else {
        await file?.close();
        file = undefined;
        files += 1;
        await marked(files);
      }
    }
    await file?.close();
  } catch (error) {
    // Closing writes a filemark, which fails as well on a full tape.
    await file?.close().catch(() => {});
    throw error;
  }
}

/** Runs of records, and null for each filemark. */
function* batches(objects: Iterable<TapeObject>): Generator<Buffer[] | null> {
  let batch: Buffer[] = [];
  for (const object of objects) {
    if (object) batch.push(object);
    if (batch.length > 0 && (object === null || batch.length === BATCH)) {
      yield batch;
      batch = [];
    }
    if (object === null) yield null;
  }
  if (batch.length > 0) yield batch;
}

/** What a writev leaves over is tried again, so that the system says why. */
async function writeBatch(file: FileHandle, batch: readonly Buffer[]): Promise<number> {
  for (let left = batch; left.length > 0; ) {
    const { bytesWritten } = await file.writev(left);
    const records = whole(left, bytesWritten);
    if (records === 0) throw Object.assign(new Error('nothing was written'), { code: 'EIO' });
    left = left.slice(records);
  }
  return bytesOf(batch);
}

/**
 * Reads a tape from its beginning and compares it with the records and filemarks it should hold. Every record is read
 * with exactly its size: longer ones are an error to the driver, and some emulators corrupt shorter ones.
 * @throws MindiError `write.differs`, naming the record
 */
export async function compareRecords(
  device: string,
  objects: Iterable<TapeObject>,
  read: (bytes: number) => void,
): Promise<void> {
  const file = await open(device, constants.O_RDONLY);
  let [files, records] = [0, 0];
  const differs = (index: number, how: string) => {
    const place = files === 0 ? `record ${records + index}` : `record ${records + index} behind filemark ${files}`;
    return new MindiError(`${place} ${how}`, { code: 'write.differs', where: device, exitCode: 1 });
  };
  try {
    for (const batch of batches(objects)) {
      if (batch) {
        await compareBatch(file, batch, differs);
        records += batch.length;
        read(bytesOf(batch));
      } else {
        if ((await readParts(file, [Buffer.alloc(TAPE.header.size)], differs)) > 0)
          throw differs(0, 'should be a filemark');
        [files, records] = [files + 1, 0];
      }
    }
  } finally {
    await file.close();
  }
}

type Differs = (index: number, how: string) => MindiError;

async function compareBatch(file: FileHandle, batch: readonly Buffer[], differs: Differs): Promise<void> {
  const found = batch.map(({ length }) => Buffer.allocUnsafe(length));
  for (let done = 0; done < batch.length; ) {
    const left = found.slice(done);
    const bytes = await readParts(file, left, (index, how) => differs(done + index, how));
    if (bytes === 0) throw differs(done, 'is a filemark');
    const records = whole(left, bytes);
    // The driver goes no further than to a record that is too short.
    if (bytesOf(left.slice(0, records)) < bytes) throw differs(done + records, 'is too short');
    done += records;
  }
  const wrong = batch.findIndex((record, index) => !record.equals(found[index] as Buffer));
  if (wrong >= 0) throw differs(wrong, 'holds other bytes');
}

async function readParts(file: FileHandle, parts: Buffer[], differs: Differs): Promise<number> {
  try {
    return (await file.readv(parts)).bytesRead;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOMEM') throw differs(0, 'is too long');
    throw error;
  }
}

/** How many of the parts so many bytes fill. */
function whole(parts: readonly Buffer[], bytes: number): number {
  let left = bytes;
  const end = parts.findIndex(({ length }) => {
    left -= length;
    return left < 0;
  });
  return end < 0 ? parts.length : end;
}

const bytesOf = (parts: readonly Buffer[]) => parts.reduce((sum, { length }) => sum + length, 0);
