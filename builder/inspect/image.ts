import { closeSync, existsSync, fstatSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isSimh } from '../../boot/simh.ts';
import { MindiError, messageOf } from '../../contract/error.ts';
import { isDisk, openDisk } from './disk.ts';
import { openFolder } from './folder.ts';
import { openInitrd } from './initrd.ts';
import { openIso } from './iso.ts';
import { readSlice, type Slice } from './slice.ts';
import { openSquashfs } from './squashfs.ts';
import { openTape } from './tape.ts';

export type EntryType = 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';

/** One thing inside an image. */
export interface ImageEntry {
  /** From the image's root; of something in an image inside the image, `mindi/initrd.img:/init`. */
  path: string;
  type: EntryType;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes; 0 for all but files. */
  size: number;
  target?: string;
  device?: { major: number; minor: number };
}

/** An image, opened: its tree, and how to get at the bytes. */
export interface Layer {
  kind: 'iso' | 'tape' | 'disk' | 'folder' | 'initrd' | 'squashfs';
  entries: ImageEntry[];
  /** What the format says of itself besides the tree, for the summary. */
  facts: Record<string, unknown>;
  /** The bytes of a file of `entries`. */
  read(entry: ImageEntry): Promise<Uint8Array>;
  /** Writes files below a directory, for layers where one at a time would be slow. */
  extract?(entries: readonly ImageEntry[], directory: string): Promise<void>;
  /** Where the bytes of a file lie in a file of this machine, if they do in one piece. */
  slice(entry: ImageEntry): Slice | undefined;
}

/** An image with the images inside it, each under the path it has in its parent. */
export interface Image extends Layer {
  inner: Map<string, Image>;
}

/** How deep images in images go: an ISO holds an initrd, which holds the runtime's squashfs. */
const DEEPEST = 4;
const ISO_MAGIC = { offset: 16 * 2048 + 1, text: 'CD001' };
/** What every netboot folder has. */
const FOLDER_MARK = 'pxelinux.0';
const SQUASHFS_MAGIC = 'hsqs';
/** What the kernel takes for an initrd: cpio, or something it can decompress (init/initramfs.c, lib/decompress.c). */
const INITRD_MAGICS = [
  '070701',
  '070702',
  '\x28\xb5\x2f\xfd',
  '\x1f\x8b',
  '\xfd7zXZ\0',
  'BZh',
  '\x02\x21\x4c\x18',
  '\x5d\0\0',
  '\x89LZO',
];

/**
 * Opens an ISO, a tape, a disk image, a netboot folder, an initrd or a squashfs, and the initrds and squashfs in it,
 * without mounting anything.
 * @param scratch a directory for what must be unpacked to be read
 * @throws MindiError `image.missing`, `image.empty`, `image.unknown`, and for what is damaged or not whole
 */
export async function openImage(path: string, scratch: string): Promise<Image> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    if (!existsSync(join(path, FOLDER_MARK))) throw problem('this folder is no netboot folder', path, 'image.unknown');
    return withInner(await openFolder(path), { scratch, name: path, depth: 0 });
  }
  const slice = wholeFile(path);
  if (slice.size === 0) throw problem('the file is empty', path, 'image.empty');
  const kind = kindOf(slice) ?? (isSimh(path) ? 'tape' : undefined);
  if (!kind)
    throw problem(
      'this is neither an ISO, nor a tape, nor a USB image, nor an initrd, nor a squashfs',
      path,
      'image.unknown',
    );
  return open(kind, slice, { scratch, name: path, depth: 0 });
}

interface Opening {
  scratch: string;
  /** How errors call it. */
  name: string;
  depth: number;
}

const OPENERS = { iso: openIso, tape: openTape, disk: openDisk, initrd: openInitrd, squashfs: openSquashfs };

async function open(kind: keyof typeof OPENERS, slice: Slice, opening: Opening): Promise<Image> {
  return withInner(await OPENERS[kind](slice, opening.name, opening.scratch), opening);
}

/** Looks into the images in a layer. */
async function withInner(layer: Layer, opening: Opening): Promise<Image> {
  const inner = new Map<string, Image>();
  for (const entry of layer.entries) {
    if (entry.type !== 'file' || opening.depth >= DEEPEST || !mayBeImage(entry.path)) continue;
    const bytes = layer.slice(entry);
    const nested = bytes && kindOf(bytes);
    if (!bytes || !nested) continue;
    const name = `${opening.name}:${entry.path}`;
    inner.set(entry.path, await open(nested, bytes, { ...opening, name, depth: opening.depth + 1 }));
  }
  return { ...layer, inner };
}

/** Only names that media use are looked into: a gzipped manual page is no initrd. */
const mayBeImage = (path: string) =>
  /\.(img|squashfs|sfs)$|initr(d|amfs)[^/]*$/.test(path) && !/efi[^/]*\.img$/.test(path);

function kindOf(slice: Slice): keyof typeof OPENERS | undefined {
  const text = (offset: number, length: number) => readSlice(slice, offset, length).toString('latin1');
  if (text(ISO_MAGIC.offset, ISO_MAGIC.text.length) === ISO_MAGIC.text) return 'iso';
  const start = text(0, 8);
  if (start.startsWith(SQUASHFS_MAGIC)) return 'squashfs';
  if (INITRD_MAGICS.some((magic) => start.startsWith(magic))) return 'initrd';
  return isDisk(slice) ? 'disk' : undefined;
}

function wholeFile(path: string): Slice {
  try {
    const file = openSync(path, 'r');
    try {
      const stats = fstatSync(file);
      if (!stats.isFile()) throw problem('this is not a file', path, 'image.unknown');
      return { path, offset: 0, size: stats.size };
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (error instanceof MindiError) throw error;
    const absent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw problem(absent ? 'there is no such file' : messageOf(error), path, 'image.missing');
  }
}

function problem(message: string, where: string, code: string): MindiError {
  const hint = 'Name an ISO, a tape (NAME.tap), a USB image, a netboot folder, an initrd or a squashfs.';
  return new MindiError(message, { code, where, hint });
}

/** Everything in an image and in the images inside it, parents before what is in them. */
export function* allEntries(image: Image, prefix = ''): Generator<ImageEntry & { layer: Image; inside: ImageEntry }> {
  for (const entry of image.entries) {
    const path = prefix + entry.path;
    yield { ...entry, path, layer: image, inside: entry };
    const inner = image.inner.get(entry.path);
    if (inner) yield* allEntries(inner, `${path}:`);
  }
}

/**
 * The bytes of one file, named as `allEntries` does.
 * @throws MindiError `image.no-such-path`, `image.not-a-file`
 */
export async function readFrom(image: Image, path: string, where: string): Promise<Uint8Array> {
  const wanted = path.replace(/^\.?\//, '');
  const found = allEntries(image).find((entry) => entry.path.replace(/^\//, '') === wanted);
  if (!found) {
    throw new MindiError(`there is no ${path} in it`, {
      code: 'image.no-such-path',
      where,
      hint: '`mindi inspect IMAGE ls` lists what is there.',
    });
  }
  if (found.type === 'symlink') throw notAFile(path, `a link to ${found.target}`, where);
  if (found.type !== 'file') throw notAFile(path, `a ${found.type}`, where);
  return found.layer.read(found.inside);
}

function notAFile(path: string, what: string, where: string): MindiError {
  return new MindiError(`${path} is ${what}, not a file`, { code: 'image.not-a-file', where });
}
