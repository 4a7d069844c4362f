import { createHash, type Hash } from 'node:crypto';
import { MindiError } from '../contract/error.ts';
import { decodeLabel, TAPE, type TapeLabel } from '../contract/tape.ts';
import { volumeOf } from './iso9660.ts';
import type { TapeObject } from './simh.ts';

/**
 * What a drive asks of a tape it shall show as a disc, as HP's Ultrium manuals publish it ("CD-ROM emulation"): a disc
 * image 20 blocks into the tape, of which the first 250 KB are read into a cache, and `EL TORITO SPECIFICATION` at the
 * 8th byte of its 18th record; where that is missing, the drive ejects the tape. KB are taken as 1,000 bytes: the less.
 */
const CACHE = 250_000;
const CACHE_BLOCKS = Math.floor(CACHE / TAPE.image);
const BOOT_RECORD = 17;
const EL_TORITO = { offset: 7, text: 'EL TORITO SPECIFICATION' };
/** More of the same kind say nothing new. */
const MOST_OF_A_KIND = 5;

export interface TapeCheck {
  /** Of what is in front of the image. */
  header: { records: number };
  image: { records: number; sha256: string };
  label: TapeLabel | null;
  /** Of all records, restore data included. */
  bytes: number;
  /** Each rule that is broken, one sentence. */
  violations: string[];
}

/** Reads a whole tape and checks it against the drive's rules and mindi's own. */
export function checkTape(objects: Iterable<TapeObject>): TapeCheck {
  let bytes = 0;
  const tape = counted(objects, (length) => {
    bytes += length;
  });
  const header = readHeader(tape);
  // A filemark where the image should begin: it is looked at all the same, so that all is told that is wrong.
  const image = readImage(tape, header.next);
  const label = readLabel(tape, header.first, image.sha256);
  while (next(tape) !== undefined);
  return {
    bytes,
    header: { records: header.records },
    image: { records: image.records, sha256: image.sha256 },
    label: label.label,
    violations: [
      ...header.violations,
      ...image.violations,
      ...bootable(image.cache, image.records),
      ...label.violations,
    ],
  };
}

type Tape = Iterator<TapeObject, unknown>;

function* counted(objects: Iterable<TapeObject>, count: (length: number) => void): Generator<TapeObject> {
  for (const object of objects) {
    count(object?.length ?? 0);
    yield object;
  }
}

/** The next record; null for a filemark, undefined at the end. */
function next(tape: Tape): TapeObject | undefined {
  const { value, done } = tape.next();
  return done ? undefined : (value as TapeObject);
}

function readHeader(tape: Tape) {
  const wrong: string[] = [];
  let [records, first]: [number, Buffer] = [0, Buffer.alloc(0)];
  for (; records < TAPE.header.records; records += 1) {
    const record = next(tape);
    if (!record) {
      const what = record === null ? 'a filemark comes' : 'the tape ends';
      wrong.push(
        `${what} after ${records} records, but the image must be ${TAPE.header.records} records into the tape`,
      );
      return { records, first, next: record, violations: few(wrong) };
    }
    if (records === 0) first = record;
    if (record.length !== TAPE.header.size)
      wrong.push(
        `record ${records} is of ${record.length} bytes; those before the image must be of ${TAPE.header.size}`,
      );
  }
  let object = next(tape);
  if (object === null) {
    wrong.push(`there is a filemark between the first ${records} records and the image; the drive reads no further`);
    object = next(tape);
  }
  return { records, first, next: object, violations: few(wrong) };
}

function readImage(tape: Tape, first: TapeObject | undefined) {
  const wrong: string[] = [];
  const cache: Buffer[] = [];
  const hash: Hash = createHash('sha256');
  let records = 0;
  let record = first;
  for (; record; record = next(tape)) {
    if (record.length !== TAPE.image)
      wrong.push(`record ${records} of the image is of ${record.length} bytes instead of ${TAPE.image}`);
    if (records < CACHE_BLOCKS) cache.push(record);
    hash.update(record);
    records += 1;
  }
  if (records === 0) wrong.push('there is no image on the tape');
  else if (record === undefined) wrong.push('no filemark ends the image');
  return { records, sha256: hash.digest('hex'), cache: Buffer.concat(cache), violations: few(wrong) };
}

function readLabel(tape: Tape, first: Buffer, sha256: string): { label: TapeLabel | null; violations: string[] } {
  const record = next(tape);
  const label = record?.length === TAPE.label ? decodeLabel(record) : null;
  if (!label) {
    return { label, violations: ['the record behind the image is no label of mindi, so restore data are not found'] };
  }
  const violations: string[] = [];
  if (label.image?.sha256 !== sha256)
    violations.push('the image is not the one the label names: its SHA-256 is another');
  if (decodeLabel(first)?.image?.sha256 !== label.image?.sha256)
    violations.push('the first record is not a label with the same image as the one behind the image');
  if (next(tape) !== null) violations.push('no filemark ends the label');
  return { label, violations };
}

/** Whether a BIOS that sees the disc can start it from what the drive has read. */
function bootable(cache: Buffer, records: number): string[] {
  if (records === 0) return [];
  const at = BOOT_RECORD * TAPE.image + EL_TORITO.offset;
  if (cache.toString('latin1', at, at + EL_TORITO.text.length) !== EL_TORITO.text)
    return [`${EL_TORITO.text} is not at byte ${EL_TORITO.offset} of block ${BOOT_RECORD}: the drive ejects the tape`];
  try {
    const { blocks } = volumeOf(cache);
    const whole = blocks > records ? [`the image ends after ${records} of its ${blocks} blocks`] : [];
    return [...whole, ...catalog(cache)];
  } catch {
    return ['block 16 of the image is no volume descriptor: it is not an ISO 9660 image'];
  }
}

/** The El Torito catalog: https://pdos.csail.mit.edu/6.828/2014/readings/boot-cdrom.pdf */
function catalog(cache: Buffer): string[] {
  const block = cache.readUInt32LE(BOOT_RECORD * TAPE.image + 71);
  if (block >= cache.length / TAPE.image) return [tooFar('boot catalog', block)];
  const entries = cache.subarray(block * TAPE.image, (block + 1) * TAPE.image);
  let sum = 0;
  for (let at = 0; at < 32; at += 2) sum = (sum + entries.readUInt16LE(at)) & 0xffff;
  if (entries[0] !== 1 || entries.readUInt16LE(30) !== 0xaa55 || sum !== 0) return ['the boot catalog is damaged'];
  if (entries[1] !== 0 || entries[32] !== 0x88) return ['the boot catalog names no loader for a BIOS first'];
  return loader(cache, entries.readUInt32LE(40), entries.readUInt16LE(38) * 512);
}

/** A loader with a boot information table (isolinux has one at byte 8) says how long it is as a whole. */
function loader(cache: Buffer, block: number, loaded: number): string[] {
  const start = block * TAPE.image;
  if (start + loaded > cache.length) return [tooFar('loader', block)];
  const table = cache.subarray(start + 8, start + 24);
  const size = table.length === 16 && table.readUInt32LE(4) === block ? table.readUInt32LE(8) : loaded;
  return start + size > cache.length ? [tooFar('loader', block)] : [];
}

function tooFar(what: string, block: number): string {
  return `the ${what} at block ${block} is not inside the first ${CACHE / 1000} KB, which are all the drive reads first`;
}

function few(sentences: string[]): string[] {
  const more = sentences.length - MOST_OF_A_KIND;
  return more > 0 ? [...sentences.slice(0, MOST_OF_A_KIND), `… and ${more} more of this kind`] : sentences;
}

/**
 * The same for those who cannot go on with a tape that breaks a rule.
 * @throws MindiError `tape.rules`, exit code 1, naming every rule that is broken
 */
export function demandBootable(objects: Iterable<TapeObject>, where: string): TapeCheck {
  const check = checkTape(objects);
  if (check.violations.length === 0) return check;
  throw new MindiError(`no drive starts a machine from this tape: ${check.violations.join('; ')}`, {
    code: 'tape.rules',
    where,
    hint: 'Build it again, or name a .tap or .iso file that `mindi build` made.',
    exitCode: 1,
  });
}
