import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { Sealer } from './encryption/seal.ts';

const CHUNK = { highWaterMark: 1 << 20 };

/** zstd, with a checksum; encrypted for the recipients if there are any. */
export async function compressFile(from: string, to: string, recipients: readonly string[] = []): Promise<void> {
  const zstd = createZstdCompress({
    params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 },
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

export async function expandFile(from: Iterable<Buffer> | AsyncIterable<Buffer>, to: string): Promise<void> {
  await pipeline(from, createZstdDecompress(), createWriteStream(to, { mode: 0o600 }));
}
