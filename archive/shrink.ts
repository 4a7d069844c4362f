import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { messageOf } from '../contract/error.ts';
import { spoiled } from './checked.ts';
import { Sealer } from './encryption/seal.ts';

const CHUNK = { highWaterMark: 1 << 20 };

/** zstd, with a checksum; encrypted for the recipients if there are any. */
export async function compressFile(from: string, to: string, recipients: readonly string[] = []): Promise<void> {
  const zstd = createZstdCompress({
    // Half of a catalog are hashes: a higher level takes twice the time for 3 % less.
    params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 },
    chunkSize: 1 << 20,
  });
  const out = createWriteStream(to, { flags: 'wx', mode: 0o600 });
  if (recipients.length === 0) return pipeline(createReadStream(from, CHUNK), zstd, out);
  await pipeline(createReadStream(from, CHUNK), zstd, (bytes) => sealed(bytes, recipients), out);
}

async function* sealed(bytes: AsyncIterable<Buffer>, recipients: readonly string[]): AsyncGenerator<Buffer> {
  const sealer = new Sealer(recipients);
  yield sealer.head;
  for await (const chunk of bytes) yield* sealer.update(chunk);
  yield sealer.end();
}

/** No catalog gets smaller than this part of itself. */
const MOST_GAIN = 200;
const SMALL = 64 << 20;

/**
 * @param size bytes of what comes
 * @throws MindiError `set.catalog` when it would fill the disk with what no catalog is
 */
export async function expandFile(
  from: Iterable<Buffer> | AsyncIterable<Buffer>,
  size: number,
  to: string,
): Promise<void> {
  const most = SMALL + MOST_GAIN * size;
  async function* limited(chunks: AsyncIterable<Buffer>) {
    let length = 0;
    for await (const chunk of chunks) {
      length += chunk.length;
      if (length > most) throw spoiled(`its ${size} bytes become more than ${most}`);
      yield chunk;
    }
  }
  try {
    await pipeline(from, createZstdDecompress({ chunkSize: 1 << 20 }), limited, createWriteStream(to, { mode: 0o600 }));
  } catch (error) {
    throw (error as { code?: string }).code?.startsWith('ZSTD') ? spoiled(messageOf(error)) : error;
  }
}
