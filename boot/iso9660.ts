import { MindiError } from '../contract/error.ts';

/** Blocks of ISO 9660 (ECMA-119), in bytes. */
export const BLOCK = 2048;
const SYSTEM_BLOCKS = 16;
const BOOT_RECORD = 17;

/** A file in an image: where its data are, and where the directory record that says so is. */
export interface IsoFile {
  /** First block of the data. */
  block: number;
  size: number;
  /** Byte offset of the directory record in the image. */
  record: number;
}

/** Every file of an ISO 9660 image, directory by directory. Names are not looked at: Rock Ridge has the real ones. */
export function isoFiles(image: Buffer): IsoFile[] {
  const descriptor = SYSTEM_BLOCKS * BLOCK;
  if (image.length < descriptor + BLOCK || image.toString('latin1', descriptor + 1, descriptor + 6) !== 'CD001')
    throw malformed();
  const files: IsoFile[] = [];
  const seen = new Set<number>();
  const pending = [directoryAt(image, descriptor + 156)];
  for (let next = pending.pop(); next; next = pending.pop()) {
    if (seen.has(next.block)) continue;
    seen.add(next.block);
    for (const record of records(image, next)) {
      if (record.directory) pending.push(record);
      else files.push(record);
    }
  }
  return files;
}

/** What a directory record says (ECMA-119 9.1). */
function directoryAt(image: Buffer, record: number): IsoFile & { directory: boolean } {
  return {
    block: image.readUInt32LE(record + 2),
    size: image.readUInt32LE(record + 10),
    record,
    directory: ((image[record + 25] ?? 0) & 2) !== 0,
  };
}

function* records(image: Buffer, { block, size }: IsoFile) {
  const end = block * BLOCK + size;
  if (end > image.length) throw malformed();
  for (let at = block * BLOCK; at < end; ) {
    const length = image[at] ?? 0;
    // No record crosses a block: a zero length byte means that the next one starts in the next block.
    if (length === 0) at = (Math.floor(at / BLOCK) + 1) * BLOCK;
    else {
      if (length < 34 || at + length > end) throw malformed();
      yield directoryAt(image, at);
      at += length;
    }
  }
}

/** Lets a directory record point at other data. Each number is there twice, little and big endian. */
export function pointTo(image: Buffer, record: number, block: number, size: number): void {
  writeBothEndian(image, record + 2, block);
  writeBothEndian(image, record + 10, size);
}

/** The size of the file system, in blocks, in the primary volume descriptor. */
export function setVolumeSize(image: Buffer, blocks: number): void {
  writeBothEndian(image, SYSTEM_BLOCKS * BLOCK + 80, blocks);
}

/**
 * What the primary volume descriptor says: the volume id, when it was last modified (seconds since 1970), and its blocks.
 * @param image at least the first 17 blocks
 */
export function volumeOf(image: Buffer): { name: string; epoch: number; blocks: number } {
  const descriptor = SYSTEM_BLOCKS * BLOCK;
  if (image.length < descriptor + BLOCK || image.toString('latin1', descriptor, descriptor + 6) !== '\x01CD001')
    throw malformed();
  const text = (from: number, length: number) =>
    image.toString('latin1', descriptor + from, descriptor + from + length);
  const date = text(830, 14).replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/, '$1-$2-$3T$4:$5:$6Z');
  // From UTC, in quarters of an hour (ECMA-119 8.4.26.1).
  const epoch = Date.parse(date) / 1000 - image.readInt8(descriptor + 846) * 900;
  return {
    name: text(40, 32)
      .replaceAll(/[^\x20-\x7e]/g, '_')
      .trim(),
    epoch: Number.isNaN(epoch) ? 0 : epoch,
    blocks: image.readUInt32LE(descriptor + 80),
  };
}

function writeBothEndian(image: Buffer, at: number, value: number): void {
  image.writeUInt32LE(value, at);
  image.writeUInt32BE(value, at + 4);
}

/** The El Torito boot catalog and what it names: the loaders, in blocks, BIOS first. */
export interface BootImages {
  catalog: number;
  bios: number;
  uefi: { block: number; sectors: number };
}

/**
 * Reads the boot catalog. The boot record must be block 17: tape drives that start a disc image (OBDR) look nowhere else.
 */
export function bootImages(image: Buffer): BootImages {
  const record = BOOT_RECORD * BLOCK;
  if (image.length < record + BLOCK) throw malformed();
  if (image.toString('latin1', record + 7, record + 30) !== 'EL TORITO SPECIFICATION') throw malformed();
  const block = image.readUInt32LE(record + 71);
  const catalog = block * BLOCK;
  const [initial, header, section] = [catalog + 32, catalog + 64, catalog + 96];
  if (image.length < section + 32) throw malformed();
  if (image[initial] !== 0x88 || image[header + 1] !== 0xef || image[section] !== 0x88) throw malformed();
  return {
    catalog: block,
    bios: image.readUInt32LE(initial + 8),
    uefi: { block: image.readUInt32LE(section + 8), sectors: image.readUInt16LE(section + 6) },
  };
}

function malformed(): MindiError {
  return new MindiError('this is not an ISO 9660 image with El Torito boot records', { code: 'iso.malformed' });
}
