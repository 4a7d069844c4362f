import { stat } from 'node:fs/promises';
import { writeBeside } from '../builder/cache.ts';
import { MindiError } from '../contract/error.ts';
import type { MenuModel } from './menu.ts';
import type { SignedLoaders } from './signed-loaders.ts';

/** A file given by where it lies on the host, or by its bytes. */
export type Source = string | Uint8Array;

/** Bytes. */
export const sizeOf = async (source: Source): Promise<number> =>
  typeof source === 'string' ? (await stat(source)).size : source.length;

/** What every medium is made from. A back end is one file that exports one MediumWriter. */
export interface MediumParts {
  /** Where the image, or the folder, goes; written beside and renamed, so that a failure leaves an old one whole. */
  out: string;
  /** As `volumeId` makes it. */
  volumeId: string;
  /** The medium this one is made from, where the back end says that it is. */
  from?: Written;
  /** Seconds since 1970, for every time on the medium. */
  epoch: number;
  /** Hex SHA-256 of what makes this medium this one; disk and partition ids come from it. */
  id: string;
  /** Host paths. */
  kernel: string;
  initrd: string;
  /** Null when the second stage is folded into the initrd. */
  stage2: { path: string; sha256: string } | null;
  /** More files, by their path on the medium without a leading slash: the manifest and its signature. */
  extraFiles: Readonly<Record<string, Source>>;
  /** By host path, a hash of what decides a file's bytes: what was computed of it once is remembered. */
  identities?: Readonly<Record<string, string>>;
  /** There are secrets on it: its files are for their owner only, where the file system can say so. */
  secret?: boolean;
  /** Where a medium to be served will be, as the profile's `netboot.url`. */
  url?: string | null;
  menu: MenuModel;
  /** What starts the medium where Secure Boot is on; none: our own GRUB, which only starts where it is off. */
  signed?: SignedLoaders | null;
}

/** A medium that was written; its hex SHA-256 where that is known. */
export interface Written {
  path: string;
  sha256: string | undefined;
}

/** Returns the image's hex SHA-256 where writing it told; else it is read again. */
export type MediumWriter = (parts: MediumParts) => Promise<string | undefined>;

/** The profile's name as ISO 9660 and FAT allow it: A-Z, 0-9 and _, at most 32 characters. */
export function volumeId(name: string): string {
  return `MINDI_${name.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`.slice(0, 32);
}

const UNWRITABLE: Record<string, { message: string; hint: string }> = {
  ENOSPC: { message: 'no space left on the disk', hint: 'Free some space there, or build into another directory.' },
  EDQUOT: { message: 'the disk quota is used up', hint: 'Free some space there, or build into another directory.' },
  EACCES: { message: 'no permission to write there', hint: 'Build into a directory you own: --out DIR.' },
  EPERM: { message: 'no permission to write there', hint: 'Build into a directory you own: --out DIR.' },
  EROFS: { message: 'the file system is read-only', hint: 'Build into another directory: --out DIR.' },
  EFBIG: { message: 'the file system takes no file of this size', hint: 'Build into another directory: --out DIR.' },
  ENOTDIR: { message: 'a part of this path is a file', hint: 'Build into another directory: --out DIR.' },
  EEXIST: { message: 'a part of this path is a file', hint: 'Build into another directory: --out DIR.' },
  EISDIR: { message: 'this is a directory', hint: 'Move it away, or build into another directory.' },
};

/**
 * Writes an image beside its place and renames it, or puts it there with `place`.
 * @throws MindiError `output.unwritable`, naming the image, where the disk is full or cannot be written.
 */
export async function writeMedium(
  out: string,
  make: (temporary: string) => Promise<void>,
  place?: (temporary: string, out: string) => Promise<void>,
): Promise<void> {
  try {
    await writeBeside(out, make, place);
  } catch (error) {
    const known = UNWRITABLE[systemCode(error) ?? ''];
    if (!known) throw error;
    throw new MindiError(known.message, { code: 'output.unwritable', where: out, hint: known.hint, cause: error });
  }
}

/** libc's words, and those of xorriso, which looks before it writes. */
const FULL = /No space left on device|exceeds free space on media/;

/** The errno of a failed system call, ours or that of a program which printed its message. */
function systemCode(error: unknown): string | undefined {
  if (error instanceof MindiError) return FULL.test(error.message) ? 'ENOSPC' : undefined;
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
