/** Readers of depmod's text files, one function a format (depmod(8), modules.dep(5); kmod's tools/depmod.c writes them). */
import { KmodError } from './error.ts';
import { fold, isModuleFile, moduleName } from './names.ts';

/** One line of modules.dep. */
export interface DepEntry {
  name: string;
  /** As written: relative to the modules directory, or absolute for a module outside of it. */
  path: string;
  /** Every module it needs, its needs' needs included, in the file's order (the last is inserted first). */
  needs: string[];
}

export interface Softdep {
  /** Module name or fnmatch pattern. */
  name: string;
  pre: string[];
  post: string[];
  /** Words before any `pre:` or `post:`. modprobe ignores them (`softdep cifs gcm`); the author meant something. */
  unmarked: string[];
}

export interface Weakdep {
  name: string;
  weak: string[];
}

export interface Alias {
  pattern: string;
  name: string;
}

/**
 * modules.dep: `kernel/a.ko: kernel/b.ko kernel/c.ko`. Of two files with one name the first under `updates/` wins, then
 * the first of all, as depmod's default search order has it.
 * @throws KmodError tree.truncated, tree.malformed, tree.cyclic
 */
export function parseDep(text: string): Map<string, DepEntry> {
  const entries = new Map<string, DepEntry>();
  for (const [number, line] of wholeLines(text, 'modules.dep')) {
    const colon = line.indexOf(':');
    const path = line.slice(0, colon);
    if (colon < 0 || !isModuleFile(path)) throw malformed('modules.dep', number, line);
    const needs = words(line.slice(colon + 1)).map(moduleName);
    const name = moduleName(path);
    const other = entries.get(name);
    if (!other || (path.startsWith('updates/') && !other.path.startsWith('updates/'))) {
      entries.set(name, { name, path, needs });
    }
  }
  checkNeeds(entries);
  return entries;
}

/** depmod writes a line for every module, so a need without its own line means that the end of the file is missing. */
function checkNeeds(entries: Map<string, DepEntry>): void {
  for (const { name, needs } of entries.values()) {
    for (const need of needs) {
      const entry = entries.get(need);
      if (!entry) {
        throw new KmodError('tree.truncated', `modules.dep says that ${name} needs ${need}, but has no line for it`, {
          hint: 'Run depmod for this kernel again.',
          where: 'modules.dep',
        });
      }
      if (entry.needs.includes(name)) {
        throw new KmodError('tree.cyclic', `modules.dep is cyclic: ${name} and ${need} need each other`, {
          hint: 'Run depmod for this kernel again; if it reports a cycle, the modules themselves are broken.',
          where: 'modules.dep',
        });
      }
    }
  }
}

/** modules.softdep and the `softdep` lines of modprobe.d. Several lines for one module stay apart: modprobe uses the first. */
export function parseSoftdep(text: string): Softdep[] {
  return [...directives(text, 'softdep')].map(([name = '', ...rest]) => softdep(name, rest));
}

function softdep(name: string, rest: readonly string[]): Softdep {
  const result: Softdep = { name: fold(name), pre: [], post: [], unmarked: [] };
  let list = result.unmarked;
  for (const word of rest) {
    if (word === 'pre:') list = result.pre;
    else if (word === 'post:') list = result.post;
    else list.push(word);
  }
  return result;
}

/** Value of a module's own `softdep=` in .modinfo: `pre: a b post: c`. */
export function parseSoftdepValue(name: string, value: string): Softdep {
  return softdep(name, words(value));
}

/** modules.weakdep (kmod 33): modules that may be requested at run time. */
export function parseWeakdep(text: string): Weakdep[] {
  return [...directives(text, 'weakdep')].map(([name = '', ...weak]) => ({ name: fold(name), weak }));
}

/** modules.alias and modules.symbols: `alias PATTERN MODULE`; the pattern may hold spaces. */
export function parseAlias(text: string): Alias[] {
  const aliases: Alias[] = [];
  let start = 0;
  while (start < text.length) {
    let end = text.indexOf('\n', start);
    if (end < 0) end = text.length;
    if (text.startsWith('alias ', start)) {
      const last = text.lastIndexOf(' ', end - 1);
      if (last > start + 6)
        aliases.push({ pattern: text.slice(start + 6, last), name: fold(text.slice(last + 1, end)) });
    }
    start = end + 1;
  }
  return aliases;
}

/** modules.builtin and modules.order: a path a line (`kernel/fs/ext4/ext4.ko`). Blank lines and comments are skipped. */
export function parsePaths(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** modules.builtin.modinfo: `module.key=value`, NUL after each. */
export function parseBuiltinModinfo(text: string): { name: string; key: string; value: string }[] {
  const records = [];
  for (const record of text.split('\0')) {
    const equals = record.indexOf('=');
    const dot = record.lastIndexOf('.', equals);
    if (dot <= 0 || equals < 0) continue;
    records.push({
      name: fold(record.slice(0, dot)),
      key: record.slice(dot + 1, equals),
      value: record.slice(equals + 1),
    });
  }
  return records;
}

/** modules.devname: `module node type-major:minor`. */
export function parseDevname(text: string): { name: string; line: string }[] {
  return parsePaths(text).map((line) => ({ name: fold(line.slice(0, line.indexOf(' '))), line }));
}

/** Lines of a modprobe.d-like file that start with `keyword`, split into words, continuation lines joined. */
export function* directives(text: string, keyword: string): Generator<string[]> {
  for (const line of text.replaceAll('\\\n', ' ').split('\n')) {
    const [first, ...rest] = words(line);
    if (first === keyword && rest.length > 0) yield rest;
  }
}

export function words(text: string): string[] {
  return text.split(/[ \t\r]+/).filter(Boolean);
}

/** Non-empty lines with their numbers. A last line without its newline is a file cut short. */
function* wholeLines(text: string, file: string): Generator<[number, string]> {
  if (text.length > 0 && !text.endsWith('\n')) {
    throw new KmodError('tree.truncated', `${file} ends in the middle of a line`, {
      hint: 'Run depmod for this kernel again.',
      where: file,
    });
  }
  let number = 0;
  for (const line of text.split('\n')) {
    number += 1;
    if (line !== '' && !line.startsWith('#')) yield [number, line];
  }
}

function malformed(file: string, number: number, line: string): KmodError {
  const shown = line.length > 60 ? `${line.slice(0, 60)}…` : line;
  return new KmodError('tree.malformed', `${file} line ${number} is not "module.ko: needs": ${JSON.stringify(shown)}`, {
    hint: 'Run depmod for this kernel again.',
    where: `${file}:${number}`,
  });
}
