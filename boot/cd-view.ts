import { open } from 'node:fs/promises';
import { MindiError } from '../contract/error.ts';
import { TAPE } from '../contract/tape.ts';
import { readSimh } from './simh.ts';

const BATCH = 512;

/**
 * Writes the disc that a drive would show of a tape file: every record from the 20th to the filemark.
 * @throws MindiError `tape.no-image` when there is none
 */
export async function writeCdView(tape: string, out: string): Promise<void> {
  const file = await open(out, 'w');
  try {
    let batch: Buffer[] = [];
    let any = false;
    for (const record of imageOf(tape)) {
      any = true;
      if (batch.push(record) < BATCH) continue;
      await file.write(Buffer.concat(batch));
      batch = [];
    }
    if (!any) throw noImage(tape);
    await file.write(Buffer.concat(batch));
  } finally {
    await file.close();
  }
}

function* imageOf(tape: string): Generator<Buffer> {
  let index = 0;
  for (const object of readSimh(tape)) {
    if (object === null && index >= TAPE.header.records) return;
    if (object && index >= TAPE.header.records) yield object;
    index += 1;
  }
}

function noImage(tape: string): MindiError {
  return new MindiError(`the tape ends before block ${TAPE.header.records}, where the image should begin`, {
    code: 'tape.no-image',
    where: tape,
    hint: 'Name a .tap file that `mindi build` made.',
  });
}
