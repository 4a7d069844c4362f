import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { PATHS, type SecondStage } from '../contract/rescue-config.ts';
import { memory } from './hardware.ts';
import { log } from './log.ts';
import { busybox, complaint } from './process.ts';

const MIB = 1024 ** 2;
/** MiB the rescue system needs for itself and its tools beside a second stage in RAM. */
const KEPT = 64;

/** A second stage on its way into RAM. */
export interface RamCopy {
  write(chunk: Uint8Array): void;
  /** The file, when all of it found room; else null, and its memory is free again. */
  finish(): Promise<string | null>;
  /** Gives the memory back. */
  discard(): Promise<void>;
}

/**
 * Makes room in RAM. A file system of its own, of just that size, so that nothing else can grow into it.
 * @returns the empty copy, or a sentence that says why there is none
 */
export async function ramCopy({ size }: SecondStage): Promise<RamCopy | string> {
  const needed = Math.ceil(size / MIB);
  const { available } = memory();
  if (needed + KEPT > available)
    return `it needs ${needed + KEPT} MiB of free memory, and this machine has ${available} MiB`;
  mkdirSync(PATHS.ram, { recursive: true });
  const options = `size=${needed + 1}m,mode=755,nosuid,nodev`;
  const mounted = await busybox(['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', PATHS.ram]);
  if (mounted.code !== 0) return `there is no file system in RAM: ${complaint(mounted)}`;
  const file = join(PATHS.ram, 'stage2.squashfs');
  const out = openSync(file, 'w');
  let full = false;
  const discard = async () => void (await busybox(['umount', PATHS.ram]));
  return {
    write: (chunk) => {
      try {
        for (let done = 0; done < chunk.length && !full; ) done += writeSync(out, chunk, done);
      } catch (error) {
        full = true;
        log(`${file}: ${(error as Error).message}`);
      }
    },
    finish: async () => {
      closeSync(out);
      if (full) await discard();
      return full ? null : file;
    },
    discard,
  };
}
