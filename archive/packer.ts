import { createHash, hash } from 'node:crypto';
import { join } from 'node:path';
import { archiveName, sliceName } from '../contract/archive-set.ts';
import { padded, type TarHeader, writeHeader } from '../contract/tar.ts';
import { ArchiveFile, type ArchiveFileOptions, type FinishedArchive, FRAME } from './archive-file.ts';
import { archiveSuffix } from './compression.ts';
import type { Source } from './window.ts';

export interface PackerOptions extends Omit<ArchiveFileOptions, 'comment'> {
  /** Where archives are written. */
  folder: string;
  /** Of the set. */
  set: string;
  /** Bytes of tar an archive holds at most. */
  limit: number;
  nextNumber: () => number;
  /** Hears of each archive that is complete. */
  closed: (archive: FinishedArchive) => void;
}

/** Where a piece of a member's tar bytes lies. */
export interface Piece {
  archive: number;
  start: number;
  length: number;
  /** Number of the base whose archive it is; none: the set's own. */
  base?: number | null;
}

/** Where a member is now. */
export interface Placed extends Piece {
  /** Of its contents, in hex; null of what has none. */
  sha256: string | null;
  /** Of a file that was cut, where its slices are; the first is the place itself. */
  slices: readonly Piece[] | null;
}

/** Bytes kept free in an archive for its beginning and its end. */
const RESERVE = 8192;

interface Folder {
  path: Buffer;
  headers: Buffer;
  /** Bytes of its headers and of those of all above it. */
  above: number;
}

/** Puts the members of a unit into archives. */
export class Packer {
  readonly #options: PackerOptions;
  #archive: ArchiveFile | undefined;
  /** The directory last seen and those above it: each archive begins with them. */
  #folders: Folder[] = [];

  constructor(options: PackerOptions) {
    this.#options = options;
  }

  /** A member whose bytes may still be on their way. */
  async member(header: TarHeader, source: Source): Promise<Placed> {
    const length = header.headers + padded(header.data);
    if (this.isSmall(header)) {
      if (source.length < length) await source.fill(length);
      return this.small(header, source);
    }
    return length > this.#room ? this.#slices(header, length, source) : this.#big(header, length, source);
  }

  /** Whether a member is not more than a frame. */
  isSmall({ headers, data }: TarHeader): boolean {
    const length = headers + padded(data);
    return length <= FRAME && length <= this.#room;
  }

  /** A small member whose bytes have come. */
  small(header: TarHeader, source: Source): Placed {
    const length = header.headers + padded(header.data);
    const archive = this.#roomFor(header, length);
    archive.member(length);
    const start = archive.length;
    const bytes = source.take(length);
    archive.write(bytes);
    if (header.type === 'directory') this.#enter(header.path, bytes);
    const sha256 =
      header.type === 'file' ? hash('sha256', bytes.subarray(header.headers, header.headers + header.data)) : null;
    return { archive: archive.number, start, length, sha256, slices: null };
  }

  /** Ends the last archive. */
  finish(): void {
    this.#folders = [];
    this.#close();
  }

  abandon(): void {
    this.#archive?.abandon();
  }

  async #big(header: TarHeader, length: number, source: Source): Promise<Placed> {
    const archive = this.#roomFor(header, length);
    archive.member(length);
    const start = archive.length;
    const sum = dataSum(header);
    await pass(source, length, (bytes) => {
      sum.update(bytes);
      archive.write(bytes);
    });
    archive.cut();
    return { archive: archive.number, start, length, sha256: sum.digest().toString('hex'), slices: null };
  }

  /** All of the member's bytes in slices that are members of their own: joined by cat they are an archive tar reads. */
  async #slices(header: TarHeader, length: number, source: Source): Promise<Placed> {
    const sum = dataSum(header);
    const slices: Piece[] = [];
    for (let left = length; left > 0; ) {
      this.#close();
      const archive = this.#open();
      const name = Buffer.concat([header.path, Buffer.from(sliceName(slices.length + 1))]);
      const size = Math.min(left, this.#room);
      archive.write(writeHeader({ path: name, size }));
      slices.push({ archive: archive.number, start: archive.length, length: size });
      archive.cut();
      await pass(source, size, (bytes) => {
        sum.update(bytes);
        archive.write(bytes);
      });
      archive.cut();
      left -= size;
    }
    return { ...(slices[0] as Piece), sha256: sum.digest().toString('hex'), slices };
  }

  /** Bytes a member may have. */
  get #room(): number {
    return this.#options.limit - padded(RESERVE + (this.#folders.at(-1)?.above ?? 0));
  }

  /** A hard link stays with what it is a link to. */
  #roomFor(header: TarHeader, length: number): ArchiveFile {
    const full = this.#archive && this.#archive.length + length + RESERVE > this.#options.limit;
    if (full && header.type !== 'link') this.#close();
    return this.#archive ?? this.#open();
  }

  #open(): ArchiveFile {
    const number = this.#options.nextNumber();
    const { folder, method, level, recipients, set } = this.#options;
    const path = join(folder, archiveName(number, archiveSuffix(method, recipients.length > 0)));
    this.#archive = new ArchiveFile(number, path, {
      ...{ method, level, recipients },
      comment: `mindi set ${set} archive ${number}`,
    });
    for (const { headers } of this.#folders) {
      this.#archive.member(headers.length);
      this.#archive.write(headers);
    }
    return this.#archive;
  }

  #close(): void {
    if (!this.#archive) return;
    const finished = this.#archive.finish();
    this.#archive = undefined;
    this.#options.closed(finished);
  }

  #enter(path: Buffer, headers: Buffer): void {
    while (this.#folders.length > 0 && !isIn(path, this.#folders.at(-1) as Folder)) this.#folders.pop();
    const above = (this.#folders.at(-1)?.above ?? 0) + headers.length;
    this.#folders.push({ path, headers: Buffer.from(headers), above });
  }
}

const SLASH = 0x2f;
const isIn = (path: Buffer, { path: folder }: Folder) =>
  path[folder.length] === SLASH && path.compare(folder, 0, folder.length, 0, folder.length) === 0;

/** Takes `length` bytes out of the source as they come. */
export async function pass(source: Source, length: number, to: (bytes: Buffer) => void): Promise<void> {
  for (let left = length; left > 0; ) {
    if (source.length === 0 && !(await source.fill(1))) throw new Error('the stream ended inside a member');
    const bytes = source.take(left);
    to(bytes);
    left -= bytes.length;
  }
}

/** SHA-256 of a member's data, out of all its bytes: headers, data, padding. */
export function dataSum({ headers, data }: TarHeader): { update: (bytes: Buffer) => void; digest: () => Buffer } {
  const sum = createHash('sha256');
  let at = -headers;
  return {
    update: (bytes) => {
      const [from, to] = [Math.max(0, -at), Math.min(bytes.length, data - at)];
      if (to > from) sum.update(bytes.subarray(from, to));
      at += bytes.length;
    },
    digest: () => sum.digest(),
  };
}
