import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';

const CHUNK = { highWaterMark: 1 << 20 };

/** zstd, with a checksum. */
export async function compressFile(from: string, to: string): Promise<void> {
  const zstd = createZstdCompress({
    params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 },
  });
  await pipeline(createReadStream(from, CHUNK), zstd, createWriteStream(to, { flags: 'wx', mode: 0o600 }));
}

export async function expandFile(from: string, to: string): Promise<void> {
  await pipeline(createReadStream(from, CHUNK), createZstdDecompress(), createWriteStream(to, { mode: 0o600 }));
}
