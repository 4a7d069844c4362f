/**
 * The binary tries that modprobe reads (modules.dep.bin, modules.alias.bin …), byte for byte as depmod writes them:
 * kmod's tools/depmod.c index_write(), format described in libkmod/libkmod-index.h. modprobe has no fallback to the text.
 */

export interface IndexEntry {
  key: string;
  value: string;
  /** Among the values of one key, the lower comes first. */
  priority: number;
}

interface Node {
  prefix: string;
  children: Map<number, Node>;
  values: IndexEntry[];
}

export const MAGIC = 0xb007f457;
export const VERSION = 0x00020001;
/** Bytes of magic, version and the root's offset. */
export const HEADER = 12;
/** What the upper bits of a node's offset say it has; the rest of them is where it is. */
export const HAS_PREFIX = 0x80000000;
export const HAS_VALUES = 0x40000000;
export const HAS_CHILDREN = 0x20000000;
export const OFFSET = 0x0fffffff;

/** The whole index file. Keys are 7-bit ASCII; others are left out, as depmod leaves them out. */
export function indexFile(entries: readonly IndexEntry[]): Buffer {
  const root: Node = { prefix: '', children: new Map(), values: [] };
  for (const entry of entries) if (isAscii(entry.key)) insert(root, entry);
  const writer = new Writer();
  writer.u32(MAGIC);
  writer.u32(VERSION);
  const rootAt = writer.size;
  writer.u32(0);
  writer.patch(rootAt, write(root, writer));
  return writer.bytes();
}

function insert(root: Node, entry: IndexEntry): void {
  let node = root;
  let rest = entry.key;
  for (;;) {
    const common = commonLength(node.prefix, rest);
    if (common < node.prefix.length) split(node, common);
    rest = rest.slice(common);
    if (rest === '') {
      addValue(node.values, entry);
      return;
    }
    const code = rest.charCodeAt(0);
    const child = node.children.get(code);
    rest = rest.slice(1);
    if (!child) {
      node.children.set(code, { prefix: rest, children: new Map(), values: [entry] });
      return;
    }
    node = child;
  }
}

/** Cuts a node's prefix at `length`; what it was becomes its only child. */
function split(node: Node, length: number): void {
  const lower = { prefix: node.prefix.slice(length + 1), children: node.children, values: node.values };
  node.children = new Map([[node.prefix.charCodeAt(length), lower]]);
  node.prefix = node.prefix.slice(0, length);
  node.values = [];
}

function addValue(values: IndexEntry[], entry: IndexEntry): void {
  const after = values.findIndex((value) => value.priority >= entry.priority);
  values.splice(after < 0 ? values.length : after, 0, entry);
}

/** Writes the children, then the node, and returns its offset with the flags of what it holds. */
function write(node: Node, writer: Writer): number {
  const codes = [...node.children.keys()];
  const first = Math.min(...codes);
  const last = Math.max(...codes);
  const offsets: number[] = [];
  for (let code = first; code <= last; code += 1) {
    const child = node.children.get(code);
    offsets.push(child ? write(child, writer) : 0);
  }
  let offset = writer.size;
  if (node.prefix !== '') {
    writer.text(node.prefix);
    offset += HAS_PREFIX;
  }
  if (offsets.length > 0) {
    writer.u8(first);
    writer.u8(last);
    for (const child of offsets) writer.u32(child);
    offset += HAS_CHILDREN;
  }
  if (node.values.length > 0) {
    writer.u32(node.values.length);
    for (const { priority, value } of node.values) {
      writer.u32(priority);
      writer.text(value);
    }
    offset += HAS_VALUES;
  }
  return offset;
}

function commonLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a.charCodeAt(length) === b.charCodeAt(length)) length += 1;
  return length;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) > 127) return false;
  return true;
}

/** A buffer that grows. Numbers are big-endian. */
class Writer {
  size = 0;
  #buffer = Buffer.alloc(1 << 16);

  u8(value: number): void {
    this.#room(1);
    this.size = this.#buffer.writeUInt8(value, this.size);
  }

  u32(value: number): void {
    this.#room(4);
    this.size = this.#buffer.writeUInt32BE(value, this.size);
  }

  /** With the NUL that ends it. */
  text(value: string): void {
    this.#room(value.length * 3 + 1);
    this.size += this.#buffer.write(value, this.size);
    this.u8(0);
  }

  patch(at: number, value: number): void {
    this.#buffer.writeUInt32BE(value, at);
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.size);
  }

  #room(bytes: number): void {
    if (this.size + bytes <= this.#buffer.length) return;
    this.#buffer = Buffer.concat([this.#buffer, Buffer.alloc(Math.max(this.#buffer.length, bytes))]);
  }
}
