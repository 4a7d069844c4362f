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
  readonly #byPrefix = new Map<string, Entry[]>();
  readonly #byGram = new Map<string, Entry[]>();
  readonly #rest: Entry[] = [];
  readonly #prefixLengths: number[];

  constructor(aliases: readonly Alias[]) {
    const lengths = new Set<number>();
    for (const [order, alias] of aliases.entries()) {
      const pattern = foldAlias(alias.pattern);
      const entry = { pattern, name: alias.name, order };
      const prefix = literalPrefix(pattern);
      const gram = prefix.length < SHORT_PREFIX && prefix !== pattern ? middleGram(pattern) : undefined;
      if (gram) push(this.#byGram, gram, entry);
      else if (prefix === '') this.#rest.push(entry);
      else {
        push(this.#byPrefix, prefix, entry);
        lengths.add(prefix.length);
      }
    }
    this.#prefixLengths = [...lengths].sort((a, b) => a - b);
  }

  /** Modules whose alias matches, in the file's order, each once. */
  match(modalias: string): string[] {
    const text = foldAlias(modalias);
    const found: Entry[] = [];
    for (const length of this.#prefixLengths) {
      if (length > text.length) break;
      collect(this.#byPrefix.get(text.slice(0, length)), text, found);
    }
    const grams = new Set<string>();
    for (let i = 0; i + GRAM <= text.length; i += 1) grams.add(text.slice(i, i + GRAM));
    for (const gram of grams) collect(this.#byGram.get(gram), text, found);
    collect(this.#rest, text, found);
    return [...new Set(found.sort((a, b) => a.order - b.order).map((entry) => entry.name))];
  }
}

function collect(entries: readonly Entry[] | undefined, text: string, found: Entry[]): void {
  if (!entries) return;
  for (const entry of entries) if (globMatch(entry.pattern, text)) found.push(entry);
}

/** First six characters of the longest literal piece; undefined when no piece is that long, or brackets make it uncertain. */
function middleGram(pattern: string): string | undefined {
  if (/[[\\]/.test(pattern)) return undefined;
  let longest = '';
  for (const piece of pattern.split(/[*?]/)) if (piece.length > longest.length) longest = piece;
  return longest.length >= GRAM ? longest.slice(0, GRAM) : undefined;
}

function push<K>(map: Map<K, Entry[]>, key: K, entry: Entry): void {
  const list = map.get(key);
  if (list) list.push(entry);
  else map.set(key, [entry]);
}
