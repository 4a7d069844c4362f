import { globMatch, literalPrefix } from './glob.ts';
import { foldAlias } from './names.ts';
import type { Alias } from './parse.ts';

/** Patterns with a shorter literal prefix are found through a piece from their middle instead (`acpi*:PNP0C0A:*`, `of:N*T*C…`). */
const SHORT_PREFIX = 8;
const GRAM = 6;

interface Entry {
  pattern: string;
  name: string;
  /** Position in the file, which is depmod's priority. */
  order: number;
}

/**
 * Alias patterns, found by the text before their first wildcard or, where that is short, by six literal characters: a
 * modalias is compared with the few patterns that could match, not with all 30,000.
 */
export class AliasIndex {
  readonly #byPrefix = new Map<number, Entry[]>();
  readonly #byGram = new Map<number, Entry[]>();
  readonly #rest: Entry[] = [];
  /** `true` at the lengths that prefixes have. */
  readonly #lengths: boolean[] = [];

  constructor(aliases: readonly Alias[]) {
    for (const [order, alias] of aliases.entries()) {
      const pattern = foldAlias(alias.pattern);
      const entry = { pattern, name: alias.name, order };
      const prefix = literalPrefix(pattern);
      const gram = prefix.length < SHORT_PREFIX && prefix !== pattern ? middleGram(pattern) : undefined;
      if (gram) push(this.#byGram, hash(gram, 0, GRAM), entry);
      else if (prefix === '') this.#rest.push(entry);
      else {
        push(this.#byPrefix, hash(prefix, 0, prefix.length), entry);
        this.#lengths[prefix.length] = true;
      }
    }
  }

  /** Modules whose alias matches, in the file's order, each once. */
  match(modalias: string): string[] {
    const text = foldAlias(modalias);
    const found = new Set<Entry>();
    let prefix = 0;
    for (let length = 1; length <= text.length; length += 1) {
      prefix = extend(prefix, text.charCodeAt(length - 1));
      if (this.#lengths[length]) collect(this.#byPrefix.get(prefix), text, found);
    }
    for (let i = 0; i + GRAM <= text.length; i += 1) collect(this.#byGram.get(hash(text, i, i + GRAM)), text, found);
    collect(this.#rest, text, found);
    return [...new Set([...found].sort((a, b) => a.order - b.order).map((entry) => entry.name))];
  }
}

/** Two texts with one hash only cost a comparison. Numbers are quicker keys than pieces of strings. */
function hash(text: string, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i += 1) value = extend(value, text.charCodeAt(i));
  return value;
}

function extend(value: number, code: number): number {
  return (Math.imul(value, 31) + code) | 0;
}

function collect(entries: readonly Entry[] | undefined, text: string, found: Set<Entry>): void {
  if (!entries) return;
  for (const entry of entries) if (!found.has(entry) && globMatch(entry.pattern, text)) found.add(entry);
}

/** First six characters of the longest literal piece; undefined when no piece is that long, or brackets make it uncertain. */
function middleGram(pattern: string): string | undefined {
  if (/[[\\]/.test(pattern)) return undefined;
  let longest = '';
  for (const piece of pattern.split(/[*?]/)) if (piece.length > longest.length) longest = piece;
  return longest.length >= GRAM ? longest.slice(0, GRAM) : undefined;
}

function push(map: Map<number, Entry[]>, key: number, entry: Entry): void {
  const list = map.get(key);
  if (list) list.push(entry);
  else map.set(key, [entry]);
}
