import { constants } from 'node:fs';
import koffi from 'koffi';

/**
 * Calls of the C library that Node has no functions for, or only ones that make objects: a file is read by five of them,
 * and there are millions of files. Paths are bytes with a NUL behind them.
 */
const libc = koffi.load(null);
const PEEK = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;

/** Each answers -1 when it failed. open(2), read(2), close(2), llistxattr(2), flistxattr(2), readlink(2). */
export const open: (path: Buffer, flags: number) => number = libc.func('int open(void *path, int flags)');
export const read: (file: number, into: Buffer, length: number) => number = libc.func(
  'intptr_t read(int file, void *into, uintptr_t length)',
);
export const close: (file: number) => number = libc.func('int close(int file)');
export const readlink: (path: Buffer, into: Buffer, length: number) => number = libc.func(
  'intptr_t readlink(void *path, void *into, uintptr_t length)',
);
/** How many bytes the names of all extended attributes have. */
const flistxattr = libc.func('intptr_t flistxattr(int file, void *list, uintptr_t size)');
const llistxattr = libc.func('intptr_t llistxattr(void *path, void *list, uintptr_t size)');
export const hasAttributes = (file: number): boolean => flistxattr(file, null, 0) > 0;
export const pathHasAttributes = (path: Buffer): boolean => llistxattr(path, null, 0) > 0;

const ioctl = libc.func('int ioctl(int file, unsigned long request, void *into)');
const FS_IOC_GETFLAGS = 0x80086601;

/** Flags of the file system that a file has, FS_*_FL of linux/fs.h; 0 where there are none. */
export function fileFlags(path: Buffer): number {
  const file = open(path, PEEK);
  if (file < 0) return 0;
  const flags = Buffer.alloc(8);
  const failed = ioctl(file, FS_IOC_GETFLAGS, flags) !== 0;
  close(file);
  return failed ? 0 : flags.readUInt32LE();
}

const statx = libc.func('int statx(int folder, void *path, int flags, uint32_t mask, void *into)');
const NOTHING = Buffer.alloc(1);
const [AT_FDCWD, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW] = [-100, 0x1000, 0x100];
const BASIC_STATS = 0x7ff;

export const S_IFMT = 0o170000;
export const [S_IFREG, S_IFDIR, S_IFLNK] = [0o100000, 0o040000, 0o120000];
const IMMUTABLE = 0x10;

/** `struct statx`, linux/stat.h: what is asked for is read where it lies. */
export class FileStatus {
  readonly #bytes = Buffer.alloc(256);
  readonly #words = new Uint32Array(this.#bytes.buffer, this.#bytes.byteOffset, 64);
  readonly #signed = new Int32Array(this.#bytes.buffer, this.#bytes.byteOffset, 64);

  ofFile(file: number): boolean {
    return statx(file, NOTHING, AT_EMPTY_PATH, BASIC_STATS, this.#bytes) === 0;
  }

  ofPath(path: Buffer): boolean {
    return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, BASIC_STATS, this.#bytes) === 0;
  }

  get isImmutable(): boolean {
    return (this.#word(0x08) & IMMUTABLE) !== 0;
  }
  get links(): number {
    return this.#word(0x10);
  }
  get uid(): number {
    return this.#word(0x14);
  }
  get gid(): number {
    return this.#word(0x18);
  }
  /** Type and permissions. */
  get mode(): number {
    return this.#word(0x1c) & 0xffff;
  }
  get size(): number {
    return this.#long(0x28);
  }
  /** Of 512 bytes. */
  get blocks(): number {
    return this.#long(0x30);
  }
  get changed(): number {
    return this.#long(0x60);
  }
  get changedNanoseconds(): number {
    return this.#word(0x68);
  }
  get modified(): number {
    return this.#long(0x70);
  }
  get modifiedNanoseconds(): number {
    return this.#word(0x78);
  }

  #word(at: number): number {
    return this.#words[at >> 2] as number;
  }

  /** Processors koffi knows keep the lower half first. */
  #long(at: number): number {
    return (this.#words[at >> 2] as number) + (this.#signed[(at >> 2) + 1] as number) * 2 ** 32;
  }
}

koffi.struct('passwd', {
  ...{ name: 'char *', password: 'char *', uid: 'uint32_t', gid: 'uint32_t' },
  ...{ gecos: 'char *', folder: 'char *', shell: 'char *' },
});
koffi.struct('group', { name: 'char *', password: 'char *', gid: 'uint32_t', members: 'void *' });
const getpwuid = libc.func(
  'int getpwuid_r(uint32_t uid, _Out_ passwd *found, void *texts, uintptr_t size, void *result)',
);
const getgrgid = libc.func(
  'int getgrgid_r(uint32_t gid, _Out_ group *found, void *texts, uintptr_t size, void *result)',
);

/** The name of a user or a group, asked for once; empty when it has none. */
function named(ask: (id: number, found: { name?: string }, texts: Buffer, size: number, result: Buffer) => number) {
  const known = new Map<number, string>();
  const texts = Buffer.alloc(64 << 10);
  const result = Buffer.alloc(8);
  return (id: number): string => {
    let name = known.get(id);
    if (name !== undefined) return name;
    const found: { name?: string } = {};
    result.fill(0);
    const isThere = ask(id, found, texts, texts.length, result) === 0 && result.some((byte) => byte !== 0);
    name = isThere ? (found.name ?? '') : '';
    if (known.size < MOST_NAMES) known.set(id, name);
    return name;
  };
}
const MOST_NAMES = 10_000;
export const userName = named(getpwuid);
export const groupName = named(getgrgid);
