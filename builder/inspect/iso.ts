import { MindiError } from '../../contract/error.ts';
import { run } from '../run.ts';
import type { EntryType, ImageEntry, Layer } from './image.ts';
import { byTree } from './initrd.ts';
import { readSlice, type Slice } from './slice.ts';
import { modeOf } from './squashfs.ts';

const BLOCK = 2048;
const DESCRIPTOR = 16 * BLOCK;
const TYPES: Record<string, EntryType> = {
  '-': 'file',
  e: 'file', // the boot catalog
  d: 'directory',
  l: 'symlink',
  c: 'char',
  b: 'block',
  p: 'fifo',
  s: 'socket',
};
const EXTENT = /^File data lba: +\d+ , +(\d+) , +\d+ , +(\d+) , ('.*)$/;
const LISTED = /^([-edlcbps])([-rwxsStT]{9})[+ ] +\d+ +(\d+) +(\d+) +(\d+) \w+ +\d+ +[\d:]+ ('.*)$/;
const BOOT_IMAGE = /^El Torito boot img : +\d+ +(\w+)/gm;

/**
 * Lists an ISO 9660 image by xorriso.
 * @throws MindiError `iso.truncated`, `iso.damaged`
 */
export async function openIso(slice: Slice, name: string): Promise<Layer> {
  const descriptor = readSlice(slice, DESCRIPTOR, BLOCK);
  if (descriptor.length < BLOCK || descriptor.readUInt32LE(80) * BLOCK > slice.size) {
    throw problem('this ISO ends too early', 'iso.truncated', name, 'The file is not whole: copy or build it again.');
  }
  if (slice.offset !== 0) throw problem('an ISO inside another image is not looked into', 'iso.inside', name);
  const report = await xorriso(slice.path, name);
  const extents = extentsOf(report);
  const read = async ({ path }: ImageEntry) => {
    return Buffer.concat((extents.get(path) ?? []).map(({ block, size }) => readSlice(slice, block * BLOCK, size)));
  };
  return {
    kind: 'iso',
    entries: report.split('\n').flatMap(entryOf).sort(byTree),
    facts: {
      volume: descriptor.toString('latin1', 40, 72).trim(),
      firmware: [...report.matchAll(BOOT_IMAGE)].map(([, platform]) => platform),
    },
    read,
    slice: ({ path }) => {
      const [extent, ...more] = extents.get(path) ?? [];
      return extent && more.length === 0
        ? { path: slice.path, offset: extent.block * BLOCK, size: extent.size }
        : undefined;
    },
  };
}

async function xorriso(path: string, name: string): Promise<string> {
  const commands = ['-find', '/', '-exec', 'report_lba', '--', '-find', '/', '-exec', 'lsdl', '--'];
  try {
    const args = ['-no_rc', '-indev', `stdio:${path}`, ...commands, '-report_el_torito', 'plain'];
    return (await run('xorriso', args, { package: 'xorriso', timeout: 120_000 })).stdout;
  } catch (error) {
    if (!(error instanceof MindiError) || error.code !== 'tool.failed') throw error;
    throw problem(
      'this ISO is damaged',
      'iso.damaged',
      name,
      'Copy or build it again. What xorriso said is in the log.',
      error,
    );
  }
}

interface Extent {
  block: number;
  size: number;
}

/** Files of 4 GiB and more have several. */
function extentsOf(report: string): Map<string, Extent[]> {
  const extents = new Map<string, Extent[]>();
  for (const line of report.split('\n')) {
    const [, block, size, quoted] = EXTENT.exec(line) ?? [];
    if (!quoted) continue;
    const [path = ''] = unquoted(quoted);
    extents.set(path, [...(extents.get(path) ?? []), { block: Number(block), size: Number(size) }]);
  }
  return extents;
}

function entryOf(line: string): ImageEntry[] {
  const [, kind, permissions, uid, gid, size, quoted] = LISTED.exec(line) ?? [];
  const [path, target] = unquoted(quoted ?? '');
  if (!kind || !permissions || !path) return [];
  const type = TYPES[kind] as EntryType;
  return [
    {
      path,
      type,
      mode: modeOf(permissions),
      uid: Number(uid),
      gid: Number(gid),
      size: type === 'file' ? Number(size) : 0,
      ...(type === 'symlink' && target !== undefined ? { target } : {}),
    },
  ];
}

/** xorriso quotes as a shell does: `'it'"'"'s' -> 'x'`. Paths come without their leading slash. */
function unquoted(text: string): string[] {
  const words = text.match(/(?:'[^']*'|"[^"]*")+/g) ?? [];
  const plain = words.map((word) => word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'));
  return plain.map((word, i) => (i === 0 ? word.replace(/^\//, '') : word));
}

function problem(message: string, code: string, where: string, hint?: string, cause?: unknown): MindiError {
  return new MindiError(message, { code, where, hint, cause });
}
