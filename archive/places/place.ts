import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { run } from '../../builder/run.ts';
import { MindiError } from '../../contract/error.ts';
import { nfs } from './nfs.ts';
import type { MountOptions, ServerKind } from './server.ts';
import { smb } from './smb.ts';
import { sshfs } from './sshfs.ts';

/** A directory, of this machine or of a server for as long as it is mounted. */
export interface Place {
  path: string;
  /** It is a server's. */
  remote: boolean;
  /** What people call a path in it: an address, where it is a server's. */
  nameOf: (path: string) => string;
  close: () => Promise<void>;
}

const SERVERS: readonly ServerKind[] = [nfs, smb, sshfs];
/** Milliseconds a mount may take, and letting go. */
const MOUNT_LIMIT = 60_000;
const LEAVE_LIMIT = 20_000;

/** The address of a directory that is mounted; undefined: it is a path, or none of these. `server:/path` is NFS. */
export function placeAddress(text: string): URL | undefined {
  const [, host, path] = /^([\w.-]+|\[[\da-f:]+\]):(\/.*)$/i.exec(text) ?? [];
  const address = host && path && !text.includes('://') ? `nfs://${host}${encodeURI(path)}` : text;
  if (!/^\w[\w+.-]*:\/\//.test(address) || !URL.canParse(address)) return undefined;
  const url = new URL(address);
  return kindOf(url) ? url : undefined;
}

const kindOf = ({ protocol }: URL) => SERVERS.find(({ schemes }) => schemes.includes(protocol.slice(0, -1)));

/** Mount points that must be left when the process ends, however it does. */
const mounted = new Set<string>();
process.on('exit', () => {
  for (const folder of mounted) leaveAtOnce(folder);
});

/**
 * Opens a directory: that of a server is mounted under a private folder of `scratch`.
 * @throws MindiError `place.mount`
 */
export async function openPlace(
  text: string,
  credentials: string | undefined,
  scratch: string,
  readOnly = false,
): Promise<Place> {
  const address = placeAddress(text);
  const kind = address && kindOf(address);
  if (!kind) {
    const path = resolve(text);
    return { path, remote: false, nameOf: (one) => one, close: async () => {} };
  }
  mkdirSync(scratch, { recursive: true });
  const folder = mkdtempSync(join(scratch, 'mindi-mount-'));
  const name = nameOf(address);
  mounted.add(folder);
  try {
    await mount(kind, address, name, { folder, readOnly, credentials });
  } catch (error) {
    mounted.delete(folder);
    rmdirSync(folder);
    throw error;
  }
  return {
    path: folder,
    remote: true,
    nameOf: (path) => [name.replace(/\/+$/, ''), relative(folder, path)].filter(Boolean).join('/'),
    close: () => leave(folder),
  };
}

function nameOf(address: URL): string {
  const plain = new URL(address);
  plain.password = '';
  return decodeURIComponent(plain.href);
}

async function mount(kind: ServerKind, address: URL, name: string, options: MountOptions): Promise<void> {
  let failure: MindiError | undefined;
  for (const way of await kind.ways(address, options)) {
    try {
      await run(way.program, way.args, { timeout: MOUNT_LIMIT, package: way.package, input: way.input ?? '' });
      return;
    } catch (error) {
      if (!(error instanceof MindiError) || error.code !== 'tool.failed') throw error;
      failure = error;
      if (!/not supported|Protocol not/i.test(error.message)) break;
    }
  }
  const said = failure?.message.split('\n').slice(1).join('; ').trim() || failure?.message;
  throw new MindiError(`it cannot be mounted: ${said}`, {
    code: 'place.mount',
    where: name,
    hint: 'Check the address, that the server lets this machine in and runs, and the credentials.',
    exitCode: 1,
    cause: failure,
  });
}

/** Lets go of it: where the server does not answer any more, without waiting for it. */
async function leave(folder: string): Promise<void> {
  try {
    await run('umount', [folder], { timeout: LEAVE_LIMIT });
  } catch {
    await run('umount', ['--lazy', '--force', folder], { timeout: LEAVE_LIMIT }).catch(() => {});
  }
  mounted.delete(folder);
  remove(folder);
}

/** The same while the process ends, when nothing can be waited for. */
function leaveAtOnce(folder: string): void {
  try {
    execFileSync('umount', ['--lazy', '--force', folder], { stdio: 'ignore', timeout: LEAVE_LIMIT });
  } catch {
    // It was not mounted yet, or is not any more.
  }
  remove(folder);
}

/** Never more than the empty directory: what is mounted there is somebody's. */
function remove(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Still mounted: it stays.
  }
}
