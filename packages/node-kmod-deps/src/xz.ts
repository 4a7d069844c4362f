/**
 * How many bytes an .xz file holds, read from the headers of its LZMA2 chunks without decompressing any: a decoder puts
 * out exactly these, whatever the index at the end claims (https://tukaani.org/xz/xz-file-format.txt, lzma2_decoder.c).
 */

/** Check sizes in bytes by check id. */
const CHECK_SIZES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];
const STREAM_HEADER = 12;
const STREAM_FOOTER = 12;
const LZMA2 = 0x21;

/** Bytes after decompression; null when the file is not one stream of plain LZMA2 blocks. Stops counting above `limit`. */
export function xzContentSize(file: Uint8Array, limit: number): number | null {
  if (file.length < STREAM_HEADER + STREAM_FOOTER) return null;
  const check = CHECK_SIZES[(file[7] ?? 0) & 0x0f] as number;
  let at = STREAM_HEADER;
  let total = 0;
  while (at < file.length && file[at] !== 0) {
    const headerSize = ((file[at] as number) + 1) * 4;
    if (!isPlainLzma2(file, at)) return null;
    const data = at + headerSize;
    const block = lzma2Size(file, data, limit - total);
    if (!block) return null;
    total += block.size;
    if (total > limit) return total;
    const used = block.end - data;
    at = block.end + ((4 - (used % 4)) % 4) + check;
  }
  return at === indexStart(file) ? total : null;
}

/** The footer says how long the index before it is. Another place means more streams, padding, or damage. */
function indexStart(file: Uint8Array): number {
  const footer = file.length - STREAM_FOOTER;
  const words = new DataView(file.buffer, file.byteOffset + Math.max(0, footer)).getUint32(4, true);
  return footer - (words + 1) * 4;
}

/** Whether the block's only filter is LZMA2; a jump filter (`xz --x86`) comes before it in the list. */
function isPlainLzma2(file: Uint8Array, at: number): boolean {
  const flags = file[at + 1] ?? 0;
  if ((flags & 0x03) !== 0) return false;
  let filter = at + 2;
  for (const present of [0x40, 0x80]) if (flags & present) filter = afterInteger(file, filter);
  return file[filter] === LZMA2;
}

/** Multibyte integers: seven bits a byte, the highest bit says that more follow. */
function afterInteger(file: Uint8Array, at: number): number {
  let end = at;
  while (end < at + 9 && (file[end] ?? 0) >= 0x80) end += 1;
  return end + 1;
}

function lzma2Size(file: Uint8Array, start: number, limit: number): { size: number; end: number } | null {
  let at = start;
  let size = 0;
  while (at < file.length) {
    const control = file[at] as number;
    if (control === 0) return { size, end: at + 1 };
    if (control >= 0x80) {
      size += (((control & 0x1f) << 16) | sixteen(file, at + 1)) + 1;
      at += (control >= 0xc0 ? 6 : 5) + sixteen(file, at + 3) + 1;
    } else if (control <= 2) {
      const length = sixteen(file, at + 1) + 1;
      size += length;
      at += 3 + length;
    } else {
      return null;
    }
    if (size > limit) return { size, end: at };
  }
  return null;
}

function sixteen(file: Uint8Array, at: number): number {
  return ((file[at] ?? 0) << 8) | (file[at + 1] ?? 0);
}
