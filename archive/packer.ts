import { createHash, hash } from 'node:crypto';
import { join } from 'node:path';
import { archiveName, sliceName } from '../contract/archive-set.ts';
import { padded, type TarHeader, writeHeader } from '../contract/tar.ts';
import { ArchiveFile, type ArchiveFileOptions, type FinishedArchive, FRAME } from './archive-file.ts';
import { archiveSuffix } from './compression.ts';
import type { Window } from './window.ts';

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

/** A row of the catalog in the making. */
export interface Packed {
  header: TarHeader;
  sha256: Buffer | null;
  /** One, or several slices. */
  pieces: Piece[];
  trouble: string | null;
  flags: string | null;
  inode: number;
}

/** Bytes kept free in an archive for its beginning and its end. */
const RESERVE = 8192;

interface Folder {
  path: Buffer;
  headers: Buffer;
}

/** Puts the members of a unit into archives. */
export class Packer {
  readonly #options: PackerOptions;
  #archive: ArchiveFile | undefined;
  /** The directory last seen and those above it: each archive begins with them. */
  #folders: Folder[] = [];
  readonly packed: Packed[] = [];
  readonly finished: FinishedArchive[] = [];

  constructor(options: PackerOptions) {
    this.#options = options;
  }

  /** @param again it is in the set already, and here only for this archive. */
  async member(header: TarHeader, window: Window, again: boolean, inode: number): Promise<void> {
    const length = header.headers + padded(header.data);
    const pieces: Piece[] = [];
    const packed = { header, sha256: null as Buffer | null, pieces, trouble: null, flags: null, inode };
    if (length > this.#options.limit - this.#overhead())
      packed.sha256 = await this.#slices(header, length, window, pieces);
    else {
      const archive = this.#roomFor(header, length);
      archive.member(length);
      pieces.push({ archive: archive.number, start: archive.length, length });
      packed.sha256 =
        length <= FRAME
          ? await this.#small(header, length, window, archive)
          : await this.#big(header, length, window, archive);
    }
    if (!again) this.packed.push(packed);
  }

  /** Ends the last archive. */
  finish(): void {
    this.#folders = [];
    this.#close();
  }

  abandon(): void {
    this.#archive?.abandon();
  }

  async #small(header: TarHeader, length: number, window: Window, archive: ArchiveFile): Promise<Buffer | null> {
    if (window.length < length) await window.fill(length);
    const bytes = window.take(length);
    archive.write(bytes);
    if (header.type === 'directory') this.#enter(header.path, bytes);
    if (header.type !== 'file') return null;
    return hash('sha256', bytes.subarray(header.headers, header.headers + header.data), 'buffer');
  }

  async #big(header: TarHeader, length: number, window: Window, archive: ArchiveFile): Promise<Buffer> {
    const sum = dataSum(header);
    await pass(window, length, (bytes) => {
      sum.update(bytes);
      archive.write(bytes);
    });
    archive.cut();
    return sum.digest();
  }

  /** All of the member's bytes in slices that are members of their own: joined by cat they are an archive tar reads. */
  async #slices(header: TarHeader, length: number, window: Window, pieces: Piece[]): Promise<Buffer> {
    const sum = dataSum(header);
    for (let left = length; left > 0; ) {
      this.#close();
      const archive = this.#open();
      const name = Buffer.concat([header.path, Buffer.from(sliceName(pieces.length + 1))]);
      const size = Math.min(left, this.#options.limit - this.#overhead());
      const headers = writeHeader({ path: name, size });
      archive.write(headers);
      pieces.push({ archive: archive.number, start: archive.length, length: size });
      archive.cut();
      await pass(window, size, (bytes) => {
        sum.update(bytes);
        archive.write(bytes);
      });
      archive.cut();
      left -= size;
    }
    return sum.digest();
  }

  #overhead(): number {
    const folders = this.#folders.reduce((sum, { headers }) => sum + headers.length, 0);
    return padded(RESERVE + folders);
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
    this.finished.push(finished);
    this.#archive = undefined;
    this.#options.closed(finished);
  }

  #enter(path: Buffer, headers: Buffer): void {
    while (this.#folders.length > 0 && !isIn(path, this.#folders.at(-1) as Folder)) this.#folders.pop();
    this.#folders.push({ path, headers: Buffer.from(headers) });
  }
}

const SLASH = 0x2f;
const isIn = (path: Buffer, { path: folder }: Folder) =>
  path[folder.length] === SLASH && path.compare(folder, 0, folder.length, 0, folder.length) === 0;

/** Takes `length` bytes out of the window as they come. */
export async function pass(window: Window, length: number, to: (bytes: Buffer) => void): Promise<void> {
  for (let left = length; left > 0; ) {
    if (window.length === 0 && !(await window.fill(1))) throw new Error('the stream ended inside a member');
    const bytes = window.take(left);
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
