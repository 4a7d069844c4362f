import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { MindiError } from '../error.ts';
import { quoted, together } from './problems.ts';
import { readText, shown } from './text.ts';

/** A value of a YAML file that remembers where it was written. */
export interface Located {
  /** `file:line:column` of the value. */
  place: string;
  /** `file:line:column` of its key, or of the value itself where it has none. */
  keyPlace: string;
  value: unknown | Located[] | Map<string, Located>;
  /** How many values it holds, aliases followed. */
  count: number;
}

/** So that a few lines of aliases cannot stand for a billion values. */
const MOST_VALUES = 20_000;
const DEEPEST = 32;

/** For a kind of file that may be larger than settings are. */
export interface YamlLimits {
  bytes: number;
  values: number;
}

/**
 * Reads a YAML file whose top level is `key: value` lines. YAML 1.2's core values; no tags, no second document.
 * @param kind what it is, `profile` or `driver set`: used in messages and, dashed, in error codes.
 * @param name how the file is called in places
 * @throws MindiError with every syntax problem at its file:line:column, or why the file could not be read.
 */
export async function readYaml(
  file: string,
  kind: string,
  name: string = shown(file),
  limits?: YamlLimits,
): Promise<Located> {
  return parseYaml(await readText(file, kind, name, limits?.bytes), kind, name, limits?.values);
}

/** The same of a text. */
export function parseYaml(text: string, kind: string, name: string, mostValues: number = MOST_VALUES): Located {
  return new Reader(text, name, kind, mostValues).read();
}

/** Plain JavaScript values of a located tree. */
export function plain({ value }: Located): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, child]) => [key, plain(child)]));
  return value;
}

/** The node at `path`, or the last one on the way there that exists. */
export function nodeAt(root: Located, path: readonly (string | number)[]): Located {
  let node = root;
  for (const step of path) {
    const { value } = node;
    const next =
      value instanceof Map ? value.get(String(step)) : Array.isArray(value) ? value[Number(step)] : undefined;
    if (next === undefined) break;
    node = next;
  }
  return node;
}

/** What to do about the library's errors that people meet, by its code. */
const HINTS: Record<string, string> = {
  TAB_AS_INDENT: 'Indent with spaces; YAML allows no tabs there.',
  BAD_INDENT: 'Lines of one section start at the same column; a list in [ ] must be closed.',
  BLOCK_AS_IMPLICIT_KEY: 'A value that holds ": " needs quotes, and a section starts on its own line.',
  MULTILINE_IMPLICIT_KEY: 'Every line is `key: value`; is a colon missing?',
  MISSING_CHAR: 'Is a quote, a comma, a bracket or a colon missing on this line or above?',
  MULTIPLE_DOCS: 'Write one file for each; a line `---` starts another document.',
  TAG_RESOLVE_FAILED: 'Leave tags (words with !) out.',
  BAD_SCALAR_START: 'Put the value in quotes.',
  BAD_DQ_ESCAPE: "Write the value in 'single quotes', or \\\\ for a backslash.",
};

/** Turns one text into a located tree, collecting what is wrong on the way. */
class Reader {
  readonly #text: string;
  readonly #file: string;
  readonly #kind: string;
  readonly #code: string;
  readonly #mostValues: number;
  readonly #lines = new LineCounter();
  readonly #anchors = new Map<string, Located>();
  readonly #problems: MindiError[] = [];

  constructor(text: string, file: string, kind: string, mostValues: number) {
    this.#text = text;
    this.#mostValues = mostValues;
    this.#file = file;
    this.#kind = kind;
    this.#code = kind.replaceAll(' ', '-');
    this.#lines.addNewLine(0);
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) this.#lines.addNewLine(end + 1);
  }

  read(): Located {
    const control = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.exec(this.#text);
    if (control) this.#fail('binary', this.#at(control.index), 'a control character, as binary files have them');
    const root = this.#problems.length === 0 ? this.#parse() : undefined;
    if (root && !(root.value instanceof Map)) {
      this.#fail('wrong-type', root.place, `a ${this.#kind} is made of \`key: value\` lines, and this is not`);
    }
    if (!root || this.#problems.length > 0) throw this.#everything();
    return root;
  }

  #parse(): Located | undefined {
    try {
      // uniqueKeys compares every key with every other; #mapping looks them up instead.
      const document = parseDocument(this.#text, {
        schema: 'core',
        resolveKnownTags: false,
        uniqueKeys: false,
        prettyErrors: false,
      });
      this.#syntaxErrors([...document.errors, ...document.warnings]);
      if (this.#problems.length > 0) return undefined;
      const { contents } = document;
      if (contents && !(isScalar(contents) && contents.value === null)) return this.#node(contents, undefined, 0);
      this.#fail('empty', this.#file, `this ${this.#kind} is empty`, 'Its smallest form is one line, `name: rescue`.');
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#fail('syntax', this.#file, 'nested too deeply to be read', 'Is it another file?');
    }
    return undefined;
  }

  /** One mistake makes the library report several on its line; the first is the telling one. */
  #syntaxErrors(errors: readonly YAMLError[]): void {
    const seen = new Set<number>();
    for (const { code, message, pos } of errors) {
      const { line } = this.#lines.linePos(pos[0]);
      const what = code === 'MULTIPLE_DOCS' ? 'a second document starts here' : message;
      if (!seen.has(line)) this.#fail('syntax', this.#at(pos[0]), `cannot be read as YAML: ${what}`, HINTS[code]);
      seen.add(line);
    }
  }

  /** @param key place of the key this is the value of. */
  #node(node: Node | null, key: string | undefined, depth: number): Located {
    const place = node?.range ? this.#at(node.range[0]) : (key ?? this.#file);
    const located: Located = { place, keyPlace: key ?? place, value: null, count: 1 };
    if (depth > DEEPEST) {
      this.#fail('too-deep', place, `more than ${DEEPEST} levels deep`);
      return located;
    }
    if (isAlias(node)) return this.#alias(node.source, located);
    if (isMap(node)) located.value = this.#mapping(node, depth, located);
    else if (isSeq(node)) located.value = node.items.map((item) => this.#child(located, item, undefined, depth));
    else if (isScalar(node)) located.value = node.value;
    if (node?.anchor) this.#anchors.set(node.anchor, located);
    return located;
  }

  #child(parent: Located, node: unknown, key: string | undefined, depth: number): Located {
    const child = this.#node(node as Node | null, key, depth + 1);
    parent.count += child.count;
    if (parent.count <= this.#mostValues) return child;
    this.#fail(
      'too-big',
      this.#file,
      `more than ${this.#mostValues} values`,
      'Aliases (*name) count as what they stand for.',
    );
    throw this.#everything();
  }

  #mapping(map: YAMLMap, depth: number, parent: Located): Map<string, Located> {
    const entries = new Map<string, Located>();
    for (const { key, value } of map.items) {
      const place = (key as Node | null)?.range ? this.#at((key as Node).range?.[0] ?? 0) : parent.place;
      const child = this.#child(parent, value, place, depth);
      if (!isScalar(key)) {
        this.#fail('syntax', place, 'a key must be one word', 'Write `key: value`.');
        continue;
      }
      const name = String(key.value);
      const first = entries.get(name);
      if (first)
        this.#fail(
          'duplicate-key',
          place,
          `the key ${quoted(name)} is here twice`,
          `It is already at ${first.keyPlace}.`,
        );
      else entries.set(name, child);
    }
    return entries;
  }

  #alias(name: string, located: Located): Located {
    const target = this.#anchors.get(name);
    if (target) return { ...target, keyPlace: located.keyPlace };
    this.#fail(
      'syntax',
      located.place,
      `*${name} stands for nothing`,
      `An &${name} must come before it; a * in front needs quotes.`,
    );
    return located;
  }

  #at(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.#file}:${line}:${col}`;
  }

  #fail(code: string, where: string, message: string, hint?: string): void {
    this.#problems.push(new MindiError(message, { code: `${this.#code}.${code}`, where, hint }));
  }

  #everything(): MindiError {
    return together(this.#problems, this.#file, `${this.#code}.syntax`);
  }
}
