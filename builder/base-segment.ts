import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fs from 'fs-extra';
import type { Reason } from '../contract/manifest.ts';
import { PATHS } from '../contract/rescue-config.ts';
import { hashFile } from './cache.ts';
import { PROBE } from './drivers/probe.ts';
import { bundleInit } from './init-bundle.ts';
import { arrange, madeFile, type Piece } from './piece.ts';

/** Files of the rescue root as they are; a file that is executable here is executable there. */
const SKELETON = fileURLToPath(new URL('../initramfs/root', import.meta.url));

const DIRECTORIES: readonly [path: string, mode: number][] = [
  ['/dev', 0o755],
  ['/etc', 0o755],
  ['/etc/mindi', 0o755],
  ['/mnt', 0o755],
  ['/proc', 0o555],
  ['/root', 0o700],
  ['/run', 0o755],
  [PATHS.runtime, 0o755],
  ['/sys', 0o555],
  ['/tmp', 0o1777],
  ['/usr', 0o755],
  ['/usr/bin', 0o755],
  ['/usr/lib', 0o755],
  ['/usr/lib64', 0o755],
  ['/usr/sbin', 0o755],
  ['/usr/share', 0o755],
  ['/var', 0o755],
  ['/var/lib', 0o755],
  ['/var/log', 0o755],
  ['/var/tmp', 0o1777],
];

const SYMLINKS: readonly [path: string, target: string][] = [
  ['/bin', 'usr/bin'],
  ['/etc/mtab', '/proc/self/mounts'],
  ['/lib', 'usr/lib'],
  ['/lib64', 'usr/lib64'],
  ['/sbin', 'usr/sbin'],
  ['/usr/bin/sh', 'busybox'],
  ['/var/lock', '/run'],
  ['/var/run', '/run'],
];

/** What must be there before devtmpfs is: the kernel opens /dev/console, and programs need /dev/null. */
const DEVICES: readonly [path: string, major: number, minor: number, mode: number][] = [
  ['/dev/console', 5, 1, 0o600],
  ['/dev/kmsg', 1, 11, 0o600],
  ['/dev/null', 1, 3, 0o666],
  ['/dev/tty', 5, 0, 0o666],
  ['/dev/tty0', 4, 0, 0o600],
  ['/dev/tty1', 4, 1, 0o600],
  ['/dev/ttyS0', 4, 64, 0o600],
  ['/dev/urandom', 1, 9, 0o666],
  ['/dev/zero', 1, 5, 0o666],
];

const WHY: Reason[] = [{ rule: 'init' }];

export interface BaseOptions {
  /** A statically linked busybox of the host. */
  busybox: string;
}

/** The `base` segment: shim, process 1's table, supervisor, bundled init, busybox, mindi-probe, directories, links and device nodes. */
export async function baseEntries(options: BaseOptions): Promise<Piece> {
  const piece: Piece = { entries: [], contents: new Map() };
  const own = { uid: 0, gid: 0, why: WHY };
  for (const [path, mode] of DIRECTORIES) piece.entries.push({ type: 'directory', path, mode, ...own });
  for (const [path, target] of SYMLINKS) piece.entries.push({ type: 'symlink', path, target, mode: 0o777, ...own });
  for (const [path, major, minor, mode] of DEVICES) {
    piece.entries.push({ type: 'char', path, major, minor, mode, ...own });
  }
  await addBusybox(piece, options.busybox);
  for (const [name, text] of await bundleInit()) {
    madeFile(piece, join(dirname(PATHS.init), name), Buffer.from(text), WHY);
  }
  madeFile(piece, '/usr/sbin/mindi-probe', await fs.readFile(PROBE), WHY, 0o755);
  await addSkeleton(piece);
  return { entries: arrange(piece.entries), contents: piece.contents };
}

async function addSkeleton(piece: Piece): Promise<void> {
  for (const name of (await fs.readdir(SKELETON, { recursive: true, encoding: 'utf8' })).sort()) {
    const stat = await fs.stat(join(SKELETON, name));
    if (!stat.isFile()) continue;
    const mode = stat.mode & 0o100 ? 0o755 : 0o644;
    madeFile(piece, `/${name}`, await fs.readFile(join(SKELETON, name)), WHY, mode);
  }
}

async function addBusybox(piece: Piece, busybox: string): Promise<void> {
  const { sha256, size } = await hashFile(busybox);
  piece.contents.set(sha256, { from: 'file', path: busybox });
  const why: Reason[] = [{ rule: 'busybox' }];
  const entry = { path: '/usr/bin/busybox', mode: 0o755, uid: 0, gid: 0, size, sha256, origin: busybox, why };
  piece.entries.push({ type: 'file', ...entry });
}
