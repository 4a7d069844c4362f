import { mkdirSync } from 'node:fs';
import { type Context, tell } from '../boot.ts';
import { complaint, findProgram, run } from '../process.ts';
import { openFolder } from './folder.ts';
import { CARRIER, leaveSource } from './places.ts';
import { type OpenSource, SourceError } from './source.ts';

/** A directory of a server, as mount names it. */
export interface Share {
  /** For people. No password. */
  name: string;
  /** mount.nfs, mount.cifs. */
  program: string;
  what: string;
  /** Each is tried when the one before is a version the server does not have. */
  options: readonly string[];
  /** A password goes here: arguments are in the log. */
  env?: Readonly<Record<string, string>>;
  modules: readonly string[];
}

/** Seconds a server has for a mount. */
const LIMIT = 40;

/**
 * Mounts it read-only and shows what is in it.
 * @throws SourceError
 */
export async function openShare(context: Context, share: Share): Promise<OpenSource> {
  const { name, program } = share;
  const path = findProgram(program);
  if (!path)
    throw new SourceError(`${program} is not on this medium.`, 'Build it with the tool set "network", or use another.');
  await leaveSource();
  await context.modules.loadAll(share.modules);
  mkdirSync(CARRIER, { recursive: true });
  const failure = await mountShare(context, share, path);
  if (failure) throw new SourceError(`${name} cannot be opened: ${failure}.`, hintFor(failure));
  try {
    return await openFolder(context, { path: CARRIER, device: null, name });
  } catch (error) {
    await leaveSource();
    throw error;
  }
}

async function mountShare(context: Context, share: Share, program: string): Promise<string | null> {
  let failure = '';
  for (const options of share.options) {
    tell(context, `opening ${share.name} (${options.split(',')[0]})`);
    const words = [share.what, CARRIER, '-o', `${options},ro,nodev,nosuid`];
    const done = await run(program, words, { limit: LIMIT, env: share.env ?? {} });
    if (done.code === 0) return null;
    failure = reasonOf(done.stderr) ?? complaint(done);
    if (!/not supported/i.test(failure)) break;
  }
  return failure;
}

/** mount.cifs ends with where to read on; what went wrong stands before. */
function reasonOf(stderr: string): string | null {
  const line = stderr.split('\n').find((text) => /mount error|mount\.nfs4?: /.test(text));
  return (
    line
      ?.replace(/^mount error\(?\d*\)?:? */, '')
      .replace(/^mount\.nfs4?: /, '')
      .trim() || null
  );
}

function hintFor(failure: string): string {
  if (/permission|access denied|not permitted/i.test(failure))
    return 'Check user and password, and that the server lets this machine in, then try again.';
  if (/no such (file|device)/i.test(failure)) return 'Check the path: the server has nothing of that name.';
  return 'Check address and server, then try again, or choose another source.';
}
