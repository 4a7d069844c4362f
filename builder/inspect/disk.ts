import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mtools } from '../../boot/fat.ts';
import { type FoundFat, findFat } from '../../boot/find-fat.ts';
import { MindiError } from '../../contract/error.ts';
import type { ImageEntry, Layer } from './image.ts';
import { byTree } from './initrd.ts';
import { readSlice, type Slice } from './slice.ts';

/** `STAGE2~1 SQU  47448064 2026-11-24  05:54  stage2.squashfs`: short name, size, time, long name. */
const LISTED = /^(.{8}) (.{3}) *(<DIR>|\d+) +\d{4}-\d\d-\d\d +\d+:\d\d(?: +(.*\S))? *$/;
const FOLDER = /^Directory for ::\/(.*)$/;
const VOLUME = /^ Volume in drive \S+ is (.*\S)/m;
/** Paths in one call of a program. */
const AT_ONCE = 500;

/** Whether a disk image is one whose files can be listed. */
export const isDisk = ({ path, offset }: Slice) => findFat(path, offset) !== undefined;

/**
 * Lists the FAT file system of a disk image by mtools. Rights and owners are as a system shows them that mounts it.
 * @throws MindiError `disk.truncated`, `disk.damaged`
 */
export async function openDisk(slice: Slice, name: string, scratch: string): Promise<Layer> {
  const fat = findFat(slice.path, slice.offset) as FoundFat;
  if (fat.offset + fat.size > slice.offset + slice.size)
    throw problem('this disk image ends too early', 'disk.truncated', name, 'The file is not whole.');
  const ask = async (program: string, args: readonly string[], stdoutFile?: string) => {
    try {
      return (await mtools(program, fat, args, { stdoutFile })).stdout;
    } catch (error) {
      if (!(error instanceof MindiError) || error.code !== 'tool.failed') throw error;
      throw problem(
        'the FAT file system in it is damaged',
        'disk.damaged',
        name,
        `What ${program} said is in the log.`,
      );
    }
  };
  const listing = await ask('mdir', ['-/', '-a', '::/']);
  const entries = entriesOf(listing).sort(byTree);
  const extents = await extentsOf(entries, (paths) => ask('mshowfat', paths), fat);
  const has = (wanted: RegExp) => entries.some(({ path }) => wanted.test(path));
  return {
    kind: 'disk',
    entries,
    facts: {
      volume: VOLUME.exec(listing)?.[1] ?? '',
      table: fat.table,
      firmware: [
        ...(has(/(^|\/)ldlinux\.sys$/i) ? ['BIOS'] : []),
        ...(has(/^efi\/boot\/boot\w+\.efi$/i) ? ['UEFI'] : []),
      ],
    },
    read: async (entry) => {
      const found = extents.get(entry.path);
      if (found) return readSlice({ path: slice.path, offset: found.offset, size: entry.size });
      const out = join(scratch, randomBytes(6).toString('hex'));
      await ask('mtype', [argument(entry.path)], out);
      return readFile(out);
    },
    slice: ({ path, size }) => {
      const found = extents.get(path);
      return found && { path: slice.path, offset: found.offset, size };
    },
  };
}

function entriesOf(listing: string): ImageEntry[] {
  let folder = '';
  return listing.split('\n').flatMap((line) => {
    folder = FOLDER.exec(line)?.[1] ?? folder;
    const [, base, extension, size, long] = LISTED.exec(line) ?? [];
    if (base === undefined || extension === undefined || size === undefined) return [];
    const name = long ?? [base.trim(), extension.trim()].filter(Boolean).join('.');
    if (name === '.' || name === '..') return [];
    const path = folder ? `${folder}/${name}` : name;
    const directory = size === '<DIR>';
    const mode = directory ? 0o755 : 0o644;
    return [{ path, type: directory ? 'directory' : 'file', mode, uid: 0, gid: 0, size: directory ? 0 : Number(size) }];
  });
}

/** A path for mtools, which takes [ for the beginning of a pattern. */
const argument = (path: string) => `::/${path.replaceAll('[', '[[]')}`;

/** Where files lie that lie in one piece, by path: nearly all on a medium nobody has written to since. */
async function extentsOf(
  entries: readonly ImageEntry[],
  mshowfat: (paths: string[]) => Promise<string>,
  { dataOffset, clusterSize }: FoundFat,
): Promise<Map<string, { offset: number }>> {
  const files = entries.filter(({ type, size }) => type === 'file' && size > 0);
  const extents = new Map<string, { offset: number }>();
  for (let at = 0; at < files.length; at += AT_ONCE) {
    const report = await mshowfat(files.slice(at, at + AT_ONCE).map(({ path }) => argument(path)));
    for (const line of report.split('\n')) {
      const [, path, first] = /^::\/(.*?) <(\d+)(?:-\d+)?>\s*$/.exec(line) ?? [];
      if (path && first) extents.set(path, { offset: dataOffset + (Number(first) - 2) * clusterSize });
    }
  }
  return extents;
}

function problem(message: string, code: string, where: string, more: string): MindiError {
  return new MindiError(message, { code, where, hint: `Copy or build it again. ${more}` });
}
