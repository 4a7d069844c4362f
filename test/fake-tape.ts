import type { TapeDrive } from '../archive/tape/drive.ts';
import type { TapeObject } from '../boot/simh.ts';
import { MindiError } from '../contract/error.ts';

/** A tape: records and filemarks, so many bytes at most. */
export interface FakeTape {
  objects: TapeObject[];
  capacity: number;
  /** Bytes after which the drive fails. */
  breaks?: number;
  protected?: boolean;
}

/** A drive with records, filemarks and an end, in memory; `tape` is what is in it. */
export function fakeDrive(first?: FakeTape): TapeDrive & { tape: FakeTape | undefined } {
  let at = 0;
  let written = false;
  const used = (tape: FakeTape) => tape.objects.reduce((sum, object) => sum + (object?.length ?? 0), 0);
  const settle = () => {
    if (written && drive.tape) drive.tape.objects.splice(at++, Number.POSITIVE_INFINITY, null);
    written = false;
  };
  const drive: ReturnType<typeof fakeDrive> = {
    tape: first,
    name: '/dev/nst9',
    problem: async (writing) => {
      if (!drive.tape) return 'there is no tape in the drive';
      return writing && drive.tape.protected ? 'the tape is write-protected' : null;
    },
    rewind: async () => {
      settle();
      at = 0;
    },
    compression: async () => {},
    write: async (records) => {
      const tape = drive.tape as FakeTape;
      let done = 0;
      for (const record of records) {
        tape.objects.length = at;
        if (used(tape) + record.length > (tape.breaks ?? Number.POSITIVE_INFINITY))
          throw new MindiError('the drive reports an error', { code: 'tape.failed', exitCode: 1 });
        if (used(tape) + record.length > tape.capacity) break;
        tape.objects[at++] = Buffer.from(record);
        written = true;
        done += 1;
      }
      return done;
    },
    mark: async () => settle(),
    read: async (limit) => {
      settle();
      const object = drive.tape?.objects[at++];
      if (object === undefined) return null;
      return object?.subarray(0, limit) ?? Buffer.alloc(0);
    },
    nextFile: async () => {
      settle();
      const mark = drive.tape?.objects.indexOf(null, at) ?? -1;
      if (mark >= 0) at = mark + 1;
      return mark >= 0;
    },
    offline: async () => {
      settle();
      drive.tape = undefined;
    },
    close: async () => settle(),
  };
  return drive;
}
