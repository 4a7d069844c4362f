import { closeSync, openSync, readSync } from 'node:fs';

/** A part of a file of this machine, in bytes: images lie inside images. */
export interface Slice {
  path: string;
  offset: number;
  size: number;
}

/** Bytes of a slice; fewer where it ends. */
export function readSlice(slice: Slice, offset = 0, length = slice.size): Buffer {
  const wanted = Math.max(0, Math.min(length, slice.size - offset));
  const bytes = Buffer.allocUnsafe(wanted);
  const file = openSync(slice.path, 'r');
  try {
    let got = 0;
    while (got < wanted) {
      const count = readSync(file, bytes, got, wanted - got, slice.offset + offset + got);
      if (count === 0) break;
      got += count;
    }
    return bytes.subarray(0, got);
  } finally {
    closeSync(file);
  }
}
