import { start } from '../builder/run.ts';
import { fileFlags } from './system-calls.ts';

/** Flags that chattr(1) sets and a restored file must have again, FS_*_FL of linux/fs.h; the others tell how it is stored. */
const LETTERS: Record<string, number> = {
  ...{ s: 0x1, u: 0x2, c: 0x4, S: 0x8, i: 0x10, a: 0x20, d: 0x40, A: 0x80 },
  ...{ j: 0x4000, t: 0x8000, D: 0x10000, T: 0x20000, C: 0x800000 },
};

/** Flags of a file as letters of lsattr(1); null: none. @param path absolute, with a NUL behind it */
export function flagsOf(path: Buffer): string | null {
  const flags = fileFlags(path);
  const letters = Object.keys(LETTERS).filter((letter) => (flags & (LETTERS[letter] as number)) !== 0);
  return letters.join('') || null;
}

/** Sets flags; `paths` absolute, in latin1. Returns what chattr said against it. */
export async function setFlags(flags: string, paths: readonly string[]): Promise<string> {
  const chattr = start('xargs', ['--null', 'chattr', `+${flags}`, '--']);
  chattr.stdin.end(`${paths.join('\0')}\0`, 'latin1');
  const { stderr } = await chattr.ended;
  return stderr.trim();
}
