import { realpath } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { Readable } from 'node:stream';
import { parseVolume, VOLUME_FILE, VOLUME_FILE_LIMIT, type Volume } from '../../contract/volume.ts';
import { chunks, progressOf } from '../reading.ts';
import { deviceEvent, eventNumber } from '../settle.ts';
import { isThere } from './block-devices.ts';
import { SourceError } from './source.ts';

/** Milliseconds the kernel has for that. */
const FORGET = 1000;

/** A directory on a block device that files are read from. */
export interface Directory {
  path: string;
  /** `/dev/sdb1`; of an ISO file the device it lies on; null: a server has it. */
  device: string | null;
  /** For people: "the disc in sr0". */
  name: string;
}

/** The volume that a directory is, if it is one. */
export async function volumeIn({ path, device }: Pick<Directory, 'path' | 'device'>): Promise<Volume | null> {
  try {
    for await (const chunk of chunks(join(path, VOLUME_FILE), { progress: progressOf(device) }))
      return chunk.length > VOLUME_FILE_LIMIT ? null : parseVolume(new TextDecoder().decode(chunk));
  } catch {
    // No such file, or one that cannot be read: no volume.
  }
  return null;
}

/**
 * A file of a directory, from `offset` on.
 * @throws SourceError when it is not there; the stream ends with one when the device fails, hangs or is taken away
 */
export async function readFile(directory: Directory, name: string, offset = 0): Promise<Readable> {
  const path = await find(directory, name);
  return Readable.from(pieces(directory, name, path, offset), { objectMode: false });
}

/** Where a file is. A link on a medium must not lead out of it. */
async function find(directory: Directory, name: string): Promise<string> {
  const path = await realpath(join(directory.path, normalize(`/${name}`))).catch(() => null);
  if (path?.startsWith(`${directory.path}/`)) return path;
  if (await isGone(directory.device)) throw takenAway(directory, name, 0);
  throw new SourceError(`${name} is not on ${directory.name}.`, 'Choose the medium that has it, or another source.');
}

async function* pieces(directory: Directory, name: string, path: string, offset: number): AsyncGenerator<Buffer> {
  let at = offset;
  try {
    for await (const chunk of chunks(path, { offset, progress: progressOf(directory.device) })) {
      at += chunk.length;
      yield Buffer.from(chunk);
    }
  } catch (error) {
    if (await isGone(directory.device)) throw takenAway(directory, name, at);
    throw new SourceError(
      `${name} on ${directory.name} cannot be read beyond byte ${at}: ${(error as Error).message}.`,
      'The medium or its drive may be damaged or dirty: clean it or take a copy, then try again, or choose another source.',
    );
  }
}

/** Whether a device that fails was taken away: its reads end a moment before the kernel forgets it. */
async function isGone(device: string | null): Promise<boolean> {
  if (device === null) return false;
  const before = eventNumber();
  if (isThere(device)) await deviceEvent(before, FORGET);
  return !isThere(device);
}

function takenAway({ name }: Directory, file: string, at: number): SourceError {
  return new SourceError(
    `${capital(name)} was taken away while ${file} was read; ${at} bytes of it came.`,
    'Plug it in again and try again, or choose another source.',
  );
}

export const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
