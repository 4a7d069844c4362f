import { constants } from 'node:fs';
import { type MemberType, padded, type TarHeader } from '../contract/tar.ts';
import { PLAIN_HEADERS, timeText, writePlain } from '../contract/tar-plain.ts';
import { FRAME } from './archive-file.ts';
import { flagsOf } from './flags.ts';
import type { Failure } from './members.ts';
import * as calls from './system-calls.ts';
import type { Source } from './window.ts';

/** Letters of find for what can be read without tar, by their numbers. */
export const PLAIN_TYPES: Record<number, MemberType> = { 102: 'file', 100: 'directory', 108: 'symlink' };

const { O_RDONLY, O_NOCTTY, O_NONBLOCK, O_NOFOLLOW } = constants;
/** Root leaves no trace of reading; others may not ask for that. */
const O_NOATIME = process.getuid?.() === 0 ? 0o1000000 : 0;
const O_CLOEXEC = 0o2000000;
const OPEN = O_RDONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOATIME;
/** What is smaller has no holes worth a thought. */
const BLOCK_OF_FILE_SYSTEM = 4096;
/** PATH_MAX, and headers that name path and target. */
const LONGEST = 4096;
const HEADERS = PLAIN_HEADERS + 4 * LONGEST;

/**
 * Reads plain files, directories and symbolic links, one after the other, as members of a tar archive: what has no
 * extended attributes, no holes, one name, and stays as it is while it is read. All else is tar's. GNU tar needs twice as
 * many system calls for each, a pipe for the bytes, and somebody to take its stream apart.
 */
export class DirectReader implements Source {
  /** The directory paths are in, with a `/` at its end, then the path at hand, then a NUL. */
  readonly path: Buffer;
  readonly #root: number;
  readonly #bytes = Buffer.allocUnsafe(HEADERS + FRAME);
  /** Where a file's data come first: behind its headers. */
  readonly #data = this.#bytes.subarray(HEADERS);
  readonly #before = new calls.FileStatus();
  readonly #after = new calls.FileStatus();
  #file = -1;
  #start = 0;
  #end = 0;
  /** Bytes of the file that are not read yet, and of padding behind them. */
  #left = 0;
  #padding = 0;
  #shrunk = 0;
  /** Where the disk gave an error instead of bytes; -1: nowhere. */
  #failedAt = -1;

  /** @param root empty: / */
  constructor(root: string) {
    this.#root = Buffer.byteLength(root) + 1;
    this.path = Buffer.alloc(this.#root + LONGEST + 1);
    this.path.write(`${root}/`);
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** A flag of the file system forbids even root to write to what was read last. */
  get isImmutable(): boolean {
    return this.#before.isImmutable;
  }

  /**
   * Begins with the path that lies between two bytes of a list. Its bytes are there to be taken then; behind a file's last
   * one `ended` is to be called.
   * @returns null when it is not for this reader
   */
  begin(type: MemberType, list: Buffer, from: number, to: number): TarHeader | null {
    this.#point(list, from, to);
    const path = list.subarray(from, to);
    if (type === 'file') return this.#beginFile(path);
    if (!this.#before.ofPath(this.path) || calls.pathHasAttributes(this.path)) return null;
    const kind = this.#before.mode & calls.S_IFMT;
    if (type === 'directory') return kind === calls.S_IFDIR ? this.#member(type, path, null) : null;
    return kind === calls.S_IFLNK && this.#before.links === 1 ? this.#link(path) : null;
  }

  /** Of a path of a list, whatever it is. */
  hasAttributes(list: Buffer, from: number, to: number): boolean {
    this.#point(list, from, to);
    return calls.pathHasAttributes(this.path);
  }

  /** Flags of an immutable file; those of others are not asked for. */
  flagsOf(path: Buffer): string | null {
    this.#point(path, 0, path.length);
    return this.#before.ofPath(this.path) && this.isImmutable ? flagsOf(this.path) : null;
  }

  #point(list: Buffer, from: number, to: number): void {
    const length = Math.min(to - from, LONGEST);
    list.copy(this.path, this.#root, from, from + length);
    this.path[this.#root + length] = 0;
  }

  #link(path: Buffer): TarHeader | null {
    const length = calls.readlink(this.path, this.#bytes, LONGEST);
    if (length <= 0 || length >= LONGEST) return null;
    return this.#member('symlink', path, Buffer.from(this.#bytes.subarray(0, length)));
  }

  #beginFile(path: Buffer): TarHeader | null {
    const status = this.#before;
    this.#file = calls.open(this.path, OPEN);
    if (this.#file < 0) return null;
    const { size } = status.ofFile(this.#file) ? status : { size: -1 };
    const isPlain =
      size >= 0 &&
      (status.mode & calls.S_IFMT) === calls.S_IFREG &&
      status.links === 1 &&
      (size <= BLOCK_OF_FILE_SYSTEM || status.blocks * 512 >= size) &&
      !calls.hasAttributes(this.#file);
    if (!isPlain) return this.#giveUp();
    const header = this.#member('file', path, null);
    this.#left = size;
    this.#padding = padded(size) - size;
    this.#shrunk = 0;
    this.#failedAt = -1;
    if (header.headers + padded(size) > FRAME) return header;
    // A small one is read at once: when it changes meanwhile, tar still can take it from the beginning.
    if (!this.fill(header.headers + padded(size)) || this.#shrunk > 0 || this.#hasChanged()) return this.#giveUp();
    this.#close();
    return header;
  }

  #giveUp(): null {
    this.#close();
    return null;
  }

  #close(): void {
    if (this.#file >= 0) calls.close(this.#file);
    this.#file = -1;
  }

  #member(type: 'file' | 'directory' | 'symlink', path: Buffer, target: Buffer | null): TarHeader {
    const status = this.#before;
    const [uid, gid, seconds] = [status.uid, status.gid, status.modified];
    const size = type === 'file' ? status.size : 0;
    const nanoseconds = status.modifiedNanoseconds;
    const mode = status.mode & 0o7777;
    const [user, group] = [calls.userName(uid), calls.groupName(gid)];
    const facts = { type, path, target, mode, uid, gid, user, group, size, seconds, nanoseconds };
    const headers = writePlain(this.#bytes, facts);
    this.#start = HEADERS - headers;
    this.#end = HEADERS;
    this.#bytes.copyWithin(this.#start, 0, headers);
    this.#left = 0;
    this.#padding = 0;
    const mtime = timeText(seconds, nanoseconds);
    const ctime = timeText(status.changed, status.changedNanoseconds);
    // biome-ignore format: one object, without copies
    return {
      headers, data: size, type, path, target, mode, uid, gid, size, mtime, ctime, device: null, attributes: '',
    };
  }

  #hasChanged(): boolean {
    const [before, after] = [this.#before, this.#after];
    return (
      !after.ofFile(this.#file) ||
      after.changed !== before.changed ||
      after.changedNanoseconds !== before.changedNanoseconds ||
      after.size !== before.size
    );
  }

  /** Reads on until `length` bytes are there; false when the file has no more. */
  fill(length: number): boolean {
    while (this.length < length && this.#left + this.#padding > 0) {
      if (this.#start === this.#end) this.#start = this.#end = HEADERS;
      const room = this.#bytes.length - this.#end;
      if (room === 0) return false;
      if (this.#left > 0) this.#read(Math.min(room, this.#left));
      else this.#pad(Math.min(room, this.#padding));
    }
    return this.length >= length;
  }

  /** Of a file that has got shorter, or that cannot be read to its end, zeros come, as of tar. */
  #read(most: number): void {
    const into = this.#end === HEADERS ? this.#data : this.#bytes.subarray(this.#end);
    const got = calls.read(this.#file, into, most);
    if (got > 0) {
      this.#end += got;
      this.#left -= got;
      return;
    }
    if (got < 0) this.#failedAt = this.#before.size - this.#left;
    this.#shrunk += this.#left;
    this.#padding += this.#left;
    this.#left = 0;
  }

  #pad(bytes: number): void {
    this.#bytes.fill(0, this.#end, this.#end + bytes);
    this.#end += bytes;
    this.#padding -= bytes;
  }

  take(length: number): Buffer {
    const taken = this.#bytes.subarray(this.#start, Math.min(this.#start + length, this.#end));
    this.#start += taken.length;
    return taken;
  }

  /** All of a file has been taken. @returns what became of it meanwhile, in tar's words. */
  ended(): Omit<Failure, 'path'> | null {
    if (this.#file < 0) return null;
    const changed = this.#hasChanged();
    this.#close();
    if (this.#failedAt >= 0)
      return { trouble: 'unreadable', detail: `Read error at byte ${this.#failedAt}; padding with zeros` };
    if (this.#shrunk > 0)
      return { trouble: 'changed', detail: `File shrank by ${this.#shrunk} bytes; padding with zeros` };
    return changed ? { trouble: 'changed', detail: 'file changed as we read it' } : null;
  }
}
