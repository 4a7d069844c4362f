import { basename, join, posix } from 'node:path';
import { MindiError } from '../../contract/error.ts';
import { HOOKS } from '../../contract/rescue-config.ts';
import type { Piece } from '../piece.ts';
import type { Profile } from '../profile/load.ts';
import { run } from '../run.ts';
import { merged } from './follow.ts';

/** A file or directory of this machine that the restore brings to another place of the medium. */
export interface OwnFile {
  path: string;
  /** Where it will be. */
  at: string;
  /** Where the profile says so: `['restore', 'before', 0]`. */
  field: [section: string, name: string, key: string | number];
  /** Whether it will be run. */
  program: boolean;
}

/** What `restore.files`, `restore.before` and `restore.after` bring. */
export function ownFiles({ restore }: Pick<Profile, 'restore'>): OwnFile[] {
  const files = Object.entries(restore.files).map(
    ([at, path]): OwnFile => ({ path, at, field: ['restore', 'files', at], program: false }),
  );
  return [...files, ...scripts('before', restore.before), ...scripts('after', restore.after)];
}

/** Their names keep them in order: 01-partition.sh. */
function scripts(name: 'before' | 'after', paths: readonly string[]): OwnFile[] {
  return paths.map((path, i) => {
    const at = join(HOOKS[name], `${String(i + 1).padStart(2, '0')}-${basename(path)}`);
    return { path, at, field: ['restore', name, i], program: true };
  });
}

/** Where the rescue system looks for programs. */
const PROGRAM_DIRECTORIES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin'];

/**
 * The program of `restore.command` must be on the medium.
 * @param pieces what will be there
 * @throws MindiError `restore.command-missing`
 */
export async function checkCommand(profile: Profile, pieces: readonly Piece[], busybox: string): Promise<void> {
  const [program] = profile.restore.command ?? [];
  if (program === undefined) return;
  const there = new Set(pieces.flatMap(({ entries }) => entries.map(({ path }) => path)));
  const places = program.includes('/')
    ? [merged(posix.normalize(program))]
    : PROGRAM_DIRECTORIES.map((directory) => `${directory}/${program}`);
  if (places.some((path) => there.has(path)) || (await isApplet(program, busybox))) return;
  throw new MindiError(`the program ${program} of restore.command is not on the medium`, {
    code: 'restore.command-missing',
    where: profile.where(['restore', 'command', 0]),
    hint: program.includes('/')
      ? `Name it under tools.include, or bring it by restore.files: { ${program}: ./FILE }.`
      : `Add ${program} to tools.include, or a set that has it to tools.sets.`,
  });
}

async function isApplet(program: string, busybox: string): Promise<boolean> {
  const { stdout } = await run(busybox, ['--list']);
  return stdout.split('\n').includes(program);
}
