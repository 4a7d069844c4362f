import { start } from '../builder/run.ts';

/** Flags that chattr(1) sets and a restored file must have again; the others describe how it is stored. */
const SETTABLE = /[aAcCdDijsStTu]/g;

/**
 * Flags of the file system, as letters of lsattr(1).
 * @param paths latin1, without `/` in front. By xargs and byte by byte: no encoding need be right.
 * @param root the directory they are in; empty: /
 */
export async function* flagsOf(paths: readonly string[], root: string): AsyncGenerator<[string, string]> {
  if (paths.length === 0) return;
  const lsattr = start('xargs', ['--null', 'lsattr', '-d', '--']);
  lsattr.stdin.end(`${paths.map((path) => `${root}/${path}`).join('\0')}\0`, 'latin1');
  let said = '';
  for await (const chunk of lsattr.stdout) said += (chunk as Buffer).toString('latin1');
  await lsattr.ended;
  let at = 0;
  for (const path of paths) {
    const found = said.indexOf(` ${root}/${path}\n`, at);
    // A file that is gone, or a file system that knows no flags.
    if (found < 0) continue;
    const letters = said.slice(said.lastIndexOf('\n', found) + 1, found).match(SETTABLE);
    if (letters) yield [path, letters.join('')];
    at = found + root.length + path.length + 3;
  }
}

/** Sets flags; `paths` absolute, in latin1. Returns what chattr said against it. */
export async function setFlags(flags: string, paths: readonly string[]): Promise<string> {
  const chattr = start('xargs', ['--null', 'chattr', `+${flags}`, '--']);
  chattr.stdin.end(`${paths.join('\0')}\0`, 'latin1');
  const { stderr } = await chattr.ended;
  return stderr.trim();
}
