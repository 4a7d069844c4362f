import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fs from 'fs-extra';
import { MindiError } from '../../contract/error.ts';
import { run } from '../run.ts';
import type { EntryType, ImageEntry, Layer } from './image.ts';
import { readSlice, type Slice } from './slice.ts';

const SUPERBLOCK = 96;
/** By the id in the superblock. https://dr-emann.github.io/squashfs/squashfs.html */
const COMPRESSIONS = ['none', 'gzip', 'lzma', 'lzo', 'xz', 'lz4', 'zstd'];
const TYPES: Record<string, EntryType> = {
  '-': 'file',
  d: 'directory',
  l: 'symlink',
  c: 'char',
  b: 'block',
  p: 'fifo',
  s: 'socket',
};
/** `-rw-r--r-- 0/0   1,  3 2023-11-14 22:13 /path`: mode, owner, size or device, time, path. */
const LINE = /^([-dlcbps])([-rwxsStT]{9}) (\d+)\/(\d+) +(?:(\d+), *(\d+)|(\d+)) \S+ \S+ (\/.*)$/;

/**
 * Lists a squashfs, wherever in a file it lies, by unsquashfs.
 * @throws MindiError `squashfs.truncated`, `squashfs.damaged`
 */
export async function openSquashfs(slice: Slice, name: string, scratch: string): Promise<Layer> {
  const head = readSlice(slice, 0, SUPERBLOCK);
  if (head.length < SUPERBLOCK || Number(head.readBigUInt64LE(40)) > slice.size) throw truncated(name);
  const at = ['-no-progress', '-offset', String(slice.offset)];
  const unsquashfs = async (args: string[], stdoutFile?: string) => {
    try {
      return await run('unsquashfs', args, { package: 'squashfs-tools', stdoutFile });
    } catch (error) {
      if (!(error instanceof MindiError) || error.code !== 'tool.failed') throw error;
      throw new MindiError('this squashfs is damaged', {
        code: 'squashfs.damaged',
        where: name,
        hint: 'Copy or build it again. What unsquashfs said is in the log.',
        cause: error,
      });
    }
  };
  const { stdout } = await unsquashfs([...at, '-lln', '-d', '', slice.path]);
  return {
    kind: 'squashfs',
    entries: stdout.split('\n').flatMap(entryOf),
    facts: { compression: COMPRESSIONS[head.readUInt16LE(20)], blockSize: head.readUInt32LE(12) },
    read: async ({ path }) => {
      const out = join(scratch, randomBytes(6).toString('hex'));
      await unsquashfs([...at, '-no-wildcards', '-cat', slice.path, path.slice(1)], out);
      return readFile(out);
    },
    extract: async (entries, directory) => {
      const list = `${directory}.list`;
      await fs.outputFile(list, entries.map((entry) => `${entry.path.slice(1)}\n`).join(''));
      await unsquashfs([
        ...at,
        '-no-xattrs',
        '-no-wildcards',
        '-force',
        '-d',
        directory,
        '-extract-file',
        list,
        slice.path,
      ]);
    },
    slice: () => undefined,
  };
}

function entryOf(line: string): ImageEntry[] {
  const [, kind, permissions, uid, gid, major, minor, size, rest] = LINE.exec(line) ?? [];
  if (!kind || !permissions || !rest || rest === '/') return [];
  const type = TYPES[kind] as EntryType;
  const [path, target] = type === 'symlink' ? split(rest) : [rest, undefined];
  return [
    {
      path,
      type,
      mode: modeOf(permissions),
      uid: Number(uid),
      gid: Number(gid),
      size: type === 'file' ? Number(size) : 0,
      ...(target === undefined ? {} : { target }),
      ...(major === undefined ? {} : { device: { major: Number(major), minor: Number(minor) } }),
    },
  ];
}

function split(text: string): [string, string] {
  const arrow = text.indexOf(' -> ');
  return [text.slice(0, arrow), text.slice(arrow + 4)];
}

/** `rwsr-x--t` as a number. */
export function modeOf(permissions: string): number {
  const bits = [...permissions].reduce((mode, letter, i) => mode | ('rwxst'.includes(letter) ? 0o400 >> i : 0), 0);
  const special = [2, 5, 8].reduce((mode, i, n) => mode | ('sStT'.includes(permissions[i] ?? '') ? 0o4000 >> n : 0), 0);
  return bits | special;
}

function truncated(name: string): MindiError {
  return new MindiError('this squashfs ends too early', {
    code: 'squashfs.truncated',
    where: name,
    hint: 'The file is not whole: copy or build it again.',
  });
}
