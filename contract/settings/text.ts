import { isUtf8 } from 'node:buffer';
import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, relative } from 'node:path';
import { MindiError, messageOf } from '../error.ts';

/** A file of settings is a few KiB; what is bigger is something else. */
const MOST_BYTES = 256 * 1024;

/** The file as a person would name it: relative when it is below the working directory. */
export function shown(file: string): string {
  const near = relative(process.cwd(), file);
  return near === '' || near.startsWith('..') || isAbsolute(near) ? file : near;
}

/**
 * Reads a small UTF-8 text file that a person wrote.
 * @param kind what it is, `profile` or `driver set`: used in messages and, dashed, in error codes.
 * @param name how the file is called in messages.
 * @param mostBytes what is larger is refused
 * @throws MindiError `KIND.not-found`, `.not-a-file`, `.unreadable`, `.too-big`, `.binary` or `.not-utf8`.
 */
export async function readText(
  file: string,
  kind: string,
  name: string = shown(file),
  mostBytes: number = MOST_BYTES,
): Promise<string> {
  const bytes = await readBytes(file, kind, name, mostBytes);
  const hint = `A ${kind} is a YAML text file in UTF-8.`;
  if (bytes.includes(0) && !isUtf16(bytes))
    throw problem(kind, 'binary', name, `this is a binary file, not a ${kind}`, hint);
  if (!isUtf8(bytes))
    throw problem(
      kind,
      'not-utf8',
      `${name}:${lineNotUtf8(bytes)}`,
      'the text is not UTF-8',
      `${hint} Save it as such.`,
    );
  return new TextDecoder().decode(bytes);
}

async function readBytes(file: string, kind: string, name: string, mostBytes: number): Promise<Buffer> {
  try {
    // Asked before it is opened: a pipe without a writer would never open, a device never end.
    const facts = await stat(file);
    if (facts.isDirectory())
      throw problem(kind, 'not-a-file', name, `this is a directory, not a ${kind}`, `Name the ${kind} file in it.`);
    if (!facts.isFile())
      throw problem(kind, 'not-a-file', name, 'this is no regular file', `Write the ${kind} to a file.`);
    if (facts.size > mostBytes)
      throw problem(kind, 'too-big', name, `larger than ${mostBytes / 1024} KiB`, `No ${kind} is; is it another file?`);
    return await readFile(file);
  } catch (error) {
    throw error instanceof MindiError ? error : unreadable(name, kind, error);
  }
}

function unreadable(name: string, kind: string, error: unknown): MindiError {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG')
    return problem(kind, 'not-found', name, `there is no such ${kind}`, 'Check the spelling and the directory.');
  if (code === 'EACCES' || code === 'EPERM')
    return problem(kind, 'unreadable', name, 'you may not read this', 'Run mindi as root, or change its permissions.');
  return problem(
    kind,
    'unreadable',
    name,
    `this cannot be read: ${messageOf(error)}`,
    'Is it a file on a working disk?',
  );
}

const isUtf16 = (bytes: Buffer) => ['fffe', 'feff'].includes(bytes.subarray(0, 2).toString('hex'));

/** 1-based line of the first byte that is not UTF-8; a newline byte is never part of another character there. */
function lineNotUtf8(bytes: Buffer): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line += 1) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    if (!isUtf8(bytes.subarray(start, end))) break;
    start = end + 1;
  }
  return line;
}

function problem(kind: string, code: string, name: string, message: string, hint: string): MindiError {
  return new MindiError(message, { code: `${kind.replaceAll(' ', '-')}.${code}`, where: name, hint });
}
