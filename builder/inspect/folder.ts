import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { EntryType, ImageEntry, Layer } from './image.ts';
import { byTree } from './initrd.ts';

/** A folder of this machine as an image: what `media: [netboot]` makes. Links are listed, not followed. */
export async function openFolder(root: string): Promise<Layer> {
  const names = await readdir(root, { recursive: true, encoding: 'utf8' });
  const entries = (await Promise.all(names.map((path) => entryOf(root, path)))).sort(byTree);
  return {
    kind: 'folder',
    entries,
    facts: { firmware: entries.some(({ path }) => path === 'pxelinux.0') ? ['PXE', 'UEFI PXE', 'iPXE'] : [] },
    read: ({ path }) => readFile(join(root, path)),
    slice: ({ path, size }) => ({ path: join(root, path), offset: 0, size }),
  };
}

async function entryOf(root: string, path: string): Promise<ImageEntry> {
  const stats = await lstat(join(root, path));
  const kinds: [boolean, EntryType][] = [
    [stats.isFile(), 'file'],
    [stats.isDirectory(), 'directory'],
    [stats.isSymbolicLink(), 'symlink'],
    [stats.isCharacterDevice(), 'char'],
    [stats.isBlockDevice(), 'block'],
    [stats.isFIFO(), 'fifo'],
  ];
  const type = kinds.find(([is]) => is)?.[1] ?? 'socket';
  return {
    path,
    type,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    size: type === 'file' ? stats.size : 0,
    ...(type === 'symlink' ? { target: await readlink(join(root, path)) } : {}),
  };
}
