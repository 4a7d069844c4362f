import { isVolume, type Volume } from './volume.ts';

/**
 * A tape for One Button Disaster Recovery (OBDR), as mindi writes it in variable-block mode:
 *
 *     20 records of 512 bytes   the first is a label, the others are zeros; a drive passes over them
 *     records of 2,048 bytes    the ISO image, block n of it in record 20 + n: what the drive shows as a disc
 *     a filemark
 *     1 record of 2,048 bytes   a label
 *     a filemark
 *     restore data              if the label has `data`, from the next record on
 *
 * A label is the line `mindi-tape` and JSON, filled up with NUL to the size of its record. The one at the front tells
 * what the tape is without a search; the one behind the image tells where restore data are. Filemarks are never counted,
 * because drivers write one whenever they like: whoever looks for restore data reads the first record after each
 * filemark until it is a label with `data`, and then on to the next record there is. Who appends restore data writes that
 * label again.
 *
 * A plain tape, which starts no machine, begins with that label of 2,048 bytes; its `image` is null.
 */
export const TAPE = {
  header: { records: 20, size: 512 },
  /** Bytes of an image's record: a block of ISO 9660. */
  image: 2048,
  /** Bytes of the label behind the image. */
  label: 2048,
} as const;

export interface TapeLabel {
  format: 1;
  /** The image's volume id; on a plain tape whatever its writer calls it. */
  name: string;
  /** When the image was made, as it says itself; seconds since 1970. */
  epoch: number;
  /** Null on a plain tape. */
  image: TapeImage | null;
  /** The restore data behind the label, or null: there are none. Absent in the label at the front. */
  data?: TapeData | null;
}

export interface TapeImage {
  /** Hex, of the image's bytes. */
  sha256: string;
  /** Bytes. */
  size: number;
  /** Bytes of a record. */
  record: number;
  /** Records before the image. */
  start: number;
}

export interface TapeData {
  /** What they are, e.g. `tar`; their writer's own word. */
  format: string;
  /** Bytes a record has at most: what to read with. */
  record: number;
  /** Which volume of a set they are; absent where they are none. */
  volume?: Volume;
}

const MAGIC = 'mindi-tape\n';
/** Bytes; SCSI has 24 bits for it. */
const LONGEST_RECORD = 0xff_ffff;
/** The last a Date can hold. */
const LAST_SECOND = 8.64e12;

/** A label of exactly `size` bytes; a name is at most 32 characters, so it fits. */
export function encodeLabel(label: TapeLabel, size: number): Uint8Array {
  const record = new Uint8Array(size);
  record.set(new TextEncoder().encode(`${MAGIC}${JSON.stringify(label)}\n`));
  return record;
}

/** The label a record is, or null when it is none: any bytes may come. */
export function decodeLabel(record: Uint8Array): TapeLabel | null {
  const text = new TextDecoder().decode(record).replace(/\0*$/, '');
  if (!text.startsWith(MAGIC)) return null;
  try {
    const label: unknown = JSON.parse(text.slice(MAGIC.length));
    return isLabel(label) ? label : null;
  } catch {
    return null;
  }
}

function isLabel(value: unknown): value is TapeLabel {
  const { format, name, epoch, image, data } = fields(value);
  if (format !== 1 || typeof name !== 'string' || !isCount(epoch) || (epoch as number) > LAST_SECOND) return false;
  return (image === null || isImage(image)) && (data === undefined || data === null || isData(data));
}

function isImage(value: unknown): value is TapeImage {
  const { sha256, size, record, start } = fields(value);
  return [size, record, start].every(isCount) && typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256);
}

function isData(value: unknown): value is TapeData {
  const { format, record, volume } = fields(value);
  return typeof format === 'string' && isRecord(record) && (volume === undefined || isVolume(volume));
}

const fields = (value: unknown) => (typeof value === 'object' && value ? value : {}) as Record<string, unknown>;
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isRecord = (value: unknown) => isCount(value) && (value as number) > 0 && (value as number) <= LONGEST_RECORD;
