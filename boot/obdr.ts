import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { hashFile } from '../builder/cache.ts';
import { MindiError } from '../contract/error.ts';
import { encodeLabel, TAPE, type TapeData, type TapeLabel } from '../contract/tape.ts';
import { volumeOf } from './iso9660.ts';
import { type MediumWriter, writeMedium } from './medium.ts';
import { type TapeObject, writeSimh } from './simh.ts';

const CHUNK = 1 << 20;

/** Writes NAME.tap: the tape of contract/tape.ts around the ISO made before, as a file in SIMH's format. */
export const makeObdr: MediumWriter = async ({ out, from }) => {
  let sha256: string | undefined;
  const tape = await obdrTape(from?.path ?? '', from?.sha256);
  await writeMedium(out, async (temporary) => {
    sha256 = writeSimh(temporary, tape);
  });
  return sha256;
};

/**
 * Every record and filemark of the tape around an ISO. Nothing but the image tells what they are, so that the tape is
 * the same whoever writes it, and when.
 * @param known the ISO's hex SHA-256, where somebody knows it
 * @param data the restore data that follow: the tape ends with the filemark behind the label then, as without any
 * @throws MindiError `iso.malformed` when it is not an ISO of whole blocks
 */
export async function obdrTape(
  iso: string,
  known?: string,
  data: TapeData | null = null,
): Promise<Iterable<TapeObject>> {
  const { name, epoch } = volumeOf(await firstBlocks(iso));
  const { sha256, size } = known === undefined ? await hashFile(iso) : { sha256: known, size: statSync(iso).size };
  if (size % TAPE.image !== 0) {
    throw new MindiError('it does not end with a whole block of 2,048 bytes', {
      code: 'iso.malformed',
      where: iso,
      hint: 'The file is not whole: copy or build it again.',
    });
  }
  const image = { sha256, size, record: TAPE.image, start: TAPE.header.records };
  const label: TapeLabel = { format: 1, name, epoch, image };
  return { [Symbol.iterator]: () => objects(iso, label, data) };
}

function* objects(iso: string, label: TapeLabel, data: TapeData | null): Generator<TapeObject> {
  yield Buffer.from(encodeLabel(label, TAPE.header.size));
  for (let record = 1; record < TAPE.header.records; record += 1) yield Buffer.alloc(TAPE.header.size);
  yield* blocks(iso);
  yield null;
  yield Buffer.from(encodeLabel({ ...label, data }, TAPE.label));
  yield null;
}

function* blocks(iso: string): Generator<Buffer> {
  const file = openSync(iso, 'r');
  try {
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK);
      const length = readSync(file, chunk, 0, CHUNK, null);
      if (length === 0) return;
      for (let at = 0; at < length; at += TAPE.image) yield chunk.subarray(at, at + TAPE.image);
    }
  } finally {
    closeSync(file);
  }
}

async function firstBlocks(iso: string): Promise<Buffer> {
  const file = await open(iso, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(18 * TAPE.image), 0, 18 * TAPE.image, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
