import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errnoOf, failureOf } from '../../builder/write/failures.ts';
import { mt, mtStatus, setCompression } from '../../builder/write/mt.ts';
import { MindiError } from '../../contract/error.ts';

/** A tape drive in variable-block mode: records of exactly their sizes, and filemarks. */
export interface TapeDrive {
  /** For people: `/dev/nst0`. */
  name: string;
  /** Why nothing can be written to, or read from, what is in it; null: it is ready. */
  problem(writing: boolean): Promise<string | null>;
  rewind(): Promise<void>;
  compression(on: boolean, note: (text: string) => void): Promise<void>;
  /**
   * Returns how many of the records are on the tape. Fewer than all: it has come to its end; what little follows may
   * still be written.
   * @throws MindiError when the drive fails
   */
  write(records: readonly Buffer[]): Promise<number>;
  /** Writes a filemark. */
  mark(): Promise<void>;
  /** The next record; empty: a filemark. Null: there is nothing more. @param limit bytes it has at most */
  read(limit: number): Promise<Buffer | null>;
  /** Winds behind the next filemark; false: there is none. */
  nextFile(): Promise<boolean>;
  /** Lets the tape go. */
  offline(): Promise<void>;
  close(): Promise<void>;
}

/** Filemarks in a row behind which there is nothing more. */
const EMPTY_FILES = 8;
/** errno(3); Node has no names for them: no medium, blank check at the end of what was written. */
const NO_MORE = new Set(['ENODATA', 'EIO', 'ENOSPC']);

/** The drive at a path, `/dev/nst0` or `/dev/st0`: it is never rewound on close. */
export function openDrive(path: string): TapeDrive {
  const device = path.replace(/^\/dev\/st(?=\d)/, '/dev/nst');
  let file: FileHandle | undefined;
  let filemarks = 0;
  const close = async () => {
    const open = file;
    file = undefined;
    await open?.close();
  };
  const opened = async (flags: number) => {
    file ??= await open(device, flags);
    return file;
  };
  const told = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw failure(error, device);
    }
  };
  return {
    name: device,
    problem: (writing) => problem(device, writing),
    rewind: () =>
      told(async () => {
        await close().catch(() => {});
        filemarks = 0;
        await mt(device, 'rewind');
        await mt(device, 'setblk', '0');
      }),
    compression: (on, note) => setCompression(device, on, note),
    write: (records) => told(async () => write(await opened(constants.O_WRONLY), records)),
    // The driver writes a filemark when a tape that was written to is closed.
    mark: () => told(close),
    read: (limit) =>
      told(async () => {
        const bytes = await read(await opened(constants.O_RDONLY), limit);
        filemarks = bytes?.length === 0 ? filemarks + 1 : 0;
        return filemarks > EMPTY_FILES ? null : bytes;
      }),
    nextFile: async () => {
      await close();
      return mt(device, 'fsf', '1').then(
        () => true,
        () => false,
      );
    },
    offline: async () => {
      await close();
      await mt(device, 'offline');
    },
    close,
  };
}

async function problem(device: string, writing: boolean): Promise<string | null> {
  try {
    const status = await mtStatus(device);
    if (status.loaded === false) return 'there is no tape in the drive';
    return writing && status.protected ? 'the tape is write-protected' : null;
  } catch (error) {
    if (error instanceof MindiError && error.code !== 'tool.missing') return error.message;
    throw error;
  }
}

/** The kernel makes a record of each part of a writev. */
async function write(file: FileHandle, records: readonly Buffer[]): Promise<number> {
  let done = 0;
  while (done < records.length) {
    const left = records.slice(done);
    const written = await file.writev(left).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOSPC') return null;
      throw error;
    });
    if (written === null) return done;
    let { bytesWritten } = written;
    for (const { length } of left) {
      bytesWritten -= length;
      if (bytesWritten < 0) break;
      done += 1;
    }
    if (written.bytesWritten === 0) throw Object.assign(new Error('nothing was written'), { code: 'EIO' });
  }
  return done;
}

async function read(file: FileHandle, limit: number): Promise<Buffer | null> {
  try {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(limit), 0, limit, null);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    if (NO_MORE.has(errnoOf(error))) return null;
    throw error;
  }
}

function failure(error: unknown, where: string): MindiError {
  if (error instanceof MindiError) return error;
  const [code, message, hint] = failureOf(error, 'tape');
  return new MindiError(message, { code, where, hint, exitCode: 1, cause: error });
}
