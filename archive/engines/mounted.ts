import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { type Mount, parseMountinfo } from '../../contract/mounts.ts';
import { isBelow } from '../roots.ts';

/** Where the rescue system mounts its restore source. */
const SOURCE = '/run/mindi/source';
const BY_UUID = '/dev/disk/by-uuid';

/**
 * How the rescue system gets at a directory of this machine: the file system it lies on as a restore source
 * (docs/restore-sources.md), null where that cannot be had, and where the directory is then.
 */
export function mediumSource(directory: string): { source: string | null; folder: string } {
  // One that is not mounted now is taken by its name.
  const path = existsSync(directory) ? realpathSync(directory) : resolve(directory);
  const mounts = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
  const mount = mounts
    .filter(({ target }) => target === path || isBelow(path, target))
    .toSorted((one, other) => one.target.length - other.target.length)
    .at(-1);
  if (!mount) return { source: null, folder: SOURCE };
  return {
    source: addressOf(mount),
    folder: join(SOURCE, mount.subvolume ? mount.root : '', relative(mount.target, path)),
  };
}

function addressOf({ format, source, root }: Mount): string | null {
  const [, server, share] = /^(\[[^\]]+\]|[^:]+):(\/.*)$/.exec(source) ?? [];
  if (/^nfs4?$/.test(format) && server && share) return `nfs://${server}${encodeURI(join(share, root))}`;
  if (/^(cifs|smb3)$/.test(format)) return `smb:${encodeURI(source)}`;
  const uuid = uuidOf(source);
  return uuid === undefined ? null : `disk:UUID=${uuid}`;
}

function uuidOf(device: string): string | undefined {
  if (!device.startsWith('/dev/')) return undefined;
  try {
    const real = realpathSync(device);
    return readdirSync(BY_UUID).find((uuid) => realpathSync(join(BY_UUID, uuid)) === real);
  } catch {
    return undefined;
  }
}
