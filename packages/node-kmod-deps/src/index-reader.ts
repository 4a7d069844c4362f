/** Looks patterns up in a modules.alias.bin as it lies there: nothing is read but the way to what matches (index-file.ts). */
import { KmodError } from './error.ts';
import { globMatch } from './glob.ts';
import { HAS_CHILDREN, HAS_PREFIX, HAS_VALUES, HEADER, MAGIC, OFFSET, VERSION } from './index-file.ts';
import { foldAlias } from './names.ts';

/** A node's parts, by where they are in the file; 0 where it has none. */
interface Node {
  prefix: string;
  first: number;
  last: number;
  children: number;
  values: number;
}

const STAR = '*'.charCodeAt(0);
/** What makes the rest of a pattern more than text: for these all patterns below are compared one by one. */
const SPECIAL = ['?', '[', '\\'].map((one) => one.charCodeAt(0));

export class IndexReader {
  readonly #bytes: Buffer;

  /** @throws KmodError tree.malformed for a file that is no index */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    if (bytes.length < HEADER || bytes.readUInt32BE(0) !== MAGIC || bytes.readUInt32BE(4) !== VERSION)
      throw malformed();
  }

  /** Values of the patterns that match, by priority, each once. */
  match(modalias: string): string[] {
    const text = foldAlias(modalias);
    const found = new Map<number, number>();
    try {
      this.#walk(this.#node(this.#bytes.readUInt32BE(8)), 0, text, 0, found);
      const values = [...found].flatMap(([at, count]) => this.#values(at, count));
      return [...new Set(values.sort((a, b) => a.priority - b.priority).map(({ value }) => value))];
    } catch (error) {
      throw error instanceof RangeError ? malformed() : error;
    }
  }

  /** Everything that matches the text from `at` on, in a node from `i` of its prefix on, and below it. */
  #walk(node: Node, i: number, text: string, at: number, found: Map<number, number>): void {
    const { prefix } = node;
    let [from, next] = [i, at];
    for (; from < prefix.length; from += 1, next += 1) {
      const code = prefix.charCodeAt(from);
      if (code === STAR) {
        for (let rest = next; rest <= text.length; rest += 1) this.#walk(node, from + 1, text, rest, found);
        return;
      }
      if (SPECIAL.includes(code)) {
        this.#compareAll(node, from, '', text.slice(next), found);
        return;
      }
      if (text.charCodeAt(next) !== code) return;
    }
    if (next === text.length && node.values) found.set(node.values, this.#bytes.readUInt32BE(node.values));
    this.#walkChildren(node, text, next, found);
  }

  #walkChildren(node: Node, text: string, at: number, found: Map<number, number>): void {
    const star = this.#child(node, STAR);
    if (star) for (let rest = at; rest <= text.length; rest += 1) this.#walk(star, 0, text, rest, found);
    for (const special of SPECIAL) {
      const child = this.#child(node, special);
      if (child) this.#compareAll(child, 0, String.fromCharCode(special), text.slice(at), found);
    }
    const code = at < text.length ? text.charCodeAt(at) : STAR;
    const child = code === STAR || SPECIAL.includes(code) ? null : this.#child(node, code);
    if (child) this.#walk(child, 0, text, at + 1, found);
  }

  /** @param before what of the patterns lies before the node */
  #compareAll(node: Node, from: number, before: string, text: string, found: Map<number, number>): void {
    const pattern = before + node.prefix.slice(from);
    if (node.values && globMatch(pattern, text)) found.set(node.values, this.#bytes.readUInt32BE(node.values));
    for (let code = node.first; code <= node.last && node.children; code += 1) {
      const child = this.#child(node, code);
      if (child) this.#compareAll(child, 0, pattern + String.fromCharCode(code), text, found);
    }
  }

  #node(offset: number): Node {
    let at = offset & OFFSET;
    const node: Node = { prefix: '', first: 1, last: 0, children: 0, values: 0 };
    if (offset & HAS_PREFIX) {
      const end = this.#bytes.indexOf(0, at);
      if (end < 0) throw malformed();
      node.prefix = this.#bytes.toString('latin1', at, end);
      at = end + 1;
    }
    if (offset & HAS_CHILDREN) {
      node.first = this.#bytes.readUInt8(at);
      node.last = this.#bytes.readUInt8(at + 1);
      node.children = at + 2;
      at += 2 + 4 * (node.last - node.first + 1);
    }
    if (offset & HAS_VALUES) node.values = at;
    return node;
  }

  #child({ first, last, children }: Node, code: number): Node | null {
    if (!children || code < first || code > last) return null;
    const offset = this.#bytes.readUInt32BE(children + 4 * (code - first));
    return offset === 0 ? null : this.#node(offset);
  }

  #values(start: number, count: number): { priority: number; value: string }[] {
    let at = start + 4;
    return Array.from({ length: count }, () => {
      const end = this.#bytes.indexOf(0, at + 4);
      if (end < 0) throw malformed();
      const value = { priority: this.#bytes.readUInt32BE(at), value: this.#bytes.toString('latin1', at + 4, end) };
      at = end + 1;
      return value;
    });
  }
}

function malformed(): KmodError {
  return new KmodError('tree.malformed', 'the index of aliases is damaged', {
    hint: 'Run depmod for this kernel again.',
    where: 'modules.alias.bin',
  });
}
