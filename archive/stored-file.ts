import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { Decrypter } from 'age-encryption';
import { SealedFile } from './encryption/sealed-file.ts';

/** A file of a set, of which pieces are read: an encrypted one is read decrypted. */
export interface StoredFile {
  /** `size` bytes from `offset`; null when they are not there, or damage shows. */
  read: (offset: number, size: number) => Buffer | null;
  close: () => void;
}

/**
 * Opens an archive. Only regular files are: what a FIFO on a medium of others has never ends.
 * @returns null when it cannot be opened, or its encryption's header is damaged
 */
export async function openStored(path: string, decrypter: Decrypter | null): Promise<StoredFile | null> {
  const file = openRegular(path);
  if (file === null) return null;
  const close = () => closeSync(file);
  if (!decrypter) return { read: (offset, size) => readAt(file, offset, size), close };
  try {
    const sealed = await SealedFile.open(file, decrypter);
    return { read: (offset, size) => sealed.read(offset, size), close };
  } catch {
    close();
    return null;
  }
}

/** A descriptor, or null. */
export function openRegular(path: string): number | null {
  try {
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (fstatSync(file).isFile()) return file;
    closeSync(file);
  } catch {
    // Missing, or not to be read.
  }
  return null;
}

function readAt(file: number, offset: number, size: number): Buffer | null {
  const bytes = Buffer.alloc(size);
  try {
    return readSync(file, bytes, 0, size, offset) === size ? bytes : null;
  } catch {
    return null;
  }
}
