import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { MindiError } from '../contract/error.ts';

/**
 * Tapes as files, in SIMH's format: each record between two copies of its length (32 bits, little endian), filled up to
 * an even number of bytes; a length of 0 is a filemark. http://simh.trailing-edge.com/docs/simh_magtape.pdf
 */

/** What is on a tape: a record's bytes, or null for a filemark. */
export type TapeObject = Buffer | null;

const FILEMARK = Buffer.alloc(4);
const END_OF_MEDIUM = 0xffff_ffff;
/** SCSI has 24 bits for it; in the file the bits above tell kinds of markers. */
const LONGEST_RECORD = 0xff_ffff;
const WINDOW = 1 << 20;

/** Writes a tape's records and filemarks to a file. Returns the file's SHA-256. */
export function writeSimh(path: string, objects: Iterable<TapeObject>): string {
  const hash = createHash('sha256');
  const file = openSync(path, 'w');
  try {
    for (const chunk of chunks(objects)) {
      for (let done = 0; done < chunk.length; ) done += writeSync(file, chunk, done);
      hash.update(chunk);
    }
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}

function* chunks(objects: Iterable<TapeObject>): Generator<Buffer> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for (const object of objects) {
    const framed = object === null ? [FILEMARK] : frame(object);
    parts.push(...framed);
    bytes += framed.reduce((sum, { length }) => sum + length, 0);
    if (bytes < WINDOW) continue;
    yield Buffer.concat(parts);
    [parts, bytes] = [[], 0];
  }
  yield Buffer.concat(parts);
}

function frame(record: Buffer): Buffer[] {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(record.length);
  return [length, record, Buffer.alloc(record.length % 2), length];
}

type Read = (offset: number, length: number) => Buffer;

/** Whether a file is a tape: by its name, or because it begins with a record. What cannot be read is none. */
export function isSimh(path: string): boolean {
  try {
    if (!statSync(path).isFile()) return false;
    const file = openSync(path, 'r');
    try {
      return path.endsWith('.tap') || beginsWithRecord(windowed(file, 4));
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
}

function beginsWithRecord(read: Read): boolean {
  const length = lengthAt(read, 0);
  if (length === undefined || length === 0 || length > LONGEST_RECORD) return false;
  return lengthAt(read, 4 + length + (length % 2)) === length;
}

function lengthAt(read: Read, offset: number): number | undefined {
  const bytes = read(offset, 4);
  return bytes.length === 4 ? bytes.readUInt32LE() : undefined;
}

/**
 * Reads the records and filemarks of a tape file in their order.
 * @throws MindiError `tape.truncated` or `tape.malformed`, with the byte it happened at
 */
export function* readSimh(path: string): Generator<TapeObject> {
  const file = openSync(path, 'r');
  try {
    const read = windowed(file);
    for (let at = 0; ; ) {
      const length = lengthAt(read, at);
      if (length === undefined && read(at, 1).length === 0) return;
      if (length === undefined) throw truncated(path, at, 'in the middle of a length');
      if (length === END_OF_MEDIUM) return;
      if (length > LONGEST_RECORD) throw malformed(path, at, `${length} is not a record's length`);
      if (length > 0) {
        const record = read(at + 4, length);
        const again = lengthAt(read, at + 4 + length + (length % 2));
        if (record.length < length || again === undefined) throw truncated(path, at, `in a record of ${length} bytes`);
        if (again !== length) throw malformed(path, at, `a record's two lengths are ${length} and ${again}`);
        yield record;
        at += 4 + length + (length % 2);
      } else yield null;
      at += 4;
    }
  } finally {
    closeSync(file);
  }
}

/** Reads parts of a file that follow each other through one big buffer. Each buffer is new, so that parts stay as they are. */
function windowed(file: number, size = WINDOW): Read {
  let [window, start] = [Buffer.alloc(0), 0];
  return (offset, length) => {
    if (offset < start || offset + length > start + window.length) {
      const bytes = Buffer.allocUnsafe(Math.max(size, length));
      window = bytes.subarray(0, readSync(file, bytes, 0, bytes.length, offset));
      start = offset;
    }
    return window.subarray(offset - start, offset - start + length);
  };
}

function truncated(path: string, at: number, where: string): MindiError {
  return new MindiError(`the tape file ends ${where}, which begins at byte ${at}`, {
    code: 'tape.truncated',
    where: path,
    hint: 'The file is not whole: copy or build it again.',
  });
}

function malformed(path: string, at: number, why: string): MindiError {
  return new MindiError(`this is not a tape file in SIMH's format: at byte ${at} ${why}`, {
    code: 'tape.malformed',
    where: path,
    hint: 'Name a .tap file that `mindi build` made; a damaged one must be copied or built again.',
  });
}
