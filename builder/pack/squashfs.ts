import { run } from '../run.ts';
import { joined, type Source } from './content.ts';
import { writeTar } from './tar.ts';

export interface SquashfsOptions {
  /** zstd level, 1 to 22. */
  level: number;
  /** Bytes of a data block, a power of two from 4 KiB to 1 MiB. Bigger is smaller on the medium and more RAM at boot. */
  blockSize: number;
  /** Seconds since 1970: the filesystem's own time and that of every file. */
  epoch: number;
  /** Gives up. */
  signal?: AbortSignal | undefined;
}

/**
 * Writes a zstd squashfs to `target`, in which everything is root's: a tar made on the fly goes into mksquashfs, so there
 * is no staging directory and no need of root. (sqfstar 4.5.1 would do the same, but takes -Xcompression-level's value
 * for the file's name.) The same source, options and squashfs-tools give the same bytes.
 * @throws MindiError `tool.missing`, `tool.failed`, and what reading the files throws.
 */
export async function writeSquashfs(source: Source, target: string, options: SquashfsOptions): Promise<void> {
  let failure: unknown;
  async function* tar(): AsyncGenerator<Uint8Array> {
    try {
      yield* joined(writeTar(source, options.epoch));
    } catch (error) {
      failure = error;
      throw error;
    }
  }
  try {
    await run('mksquashfs', squashfsArguments(target, options), {
      input: tar(),
      package: 'squashfs-tools',
      signal: options.signal,
    });
  } catch (error) {
    throw failure ?? error;
  }
}

/** What decides the bytes besides the entries: part of the cache key. */
export function squashfsVersion(): Promise<string> {
  version ??= askVersion();
  return version;
}

let version: Promise<string> | undefined;

async function askVersion(): Promise<string> {
  const { stdout } = await run('mksquashfs', ['-version'], { package: 'squashfs-tools', accept: [1] });
  return stdout.split('\n', 1)[0] ?? '';
}

function squashfsArguments(target: string, { level, blockSize, epoch }: SquashfsOptions): string[] {
  return [
    ...['-', target, '-tar', '-noappend', '-quiet', '-no-progress', '-no-xattrs', '-exit-on-error'],
    ...['-comp', 'zstd', '-Xcompression-level', String(level), '-b', String(blockSize)],
    ...['-mkfs-time', String(epoch), '-all-time', String(epoch)],
    // Everything is root's anyway; for a tar mksquashfs has no other way to say whose the top directory is.
    ...['-all-root', '-root-mode', '755', '-root-time', String(epoch)],
  ];
}
