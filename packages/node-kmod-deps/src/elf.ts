import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { KmodError } from './error.ts';

/** Random access to a module's bytes: a file, of which only the asked parts are read, or a buffer. */
export interface Bytes {
  size: number;
  read(offset: number, length: number): Buffer;
}

interface Section {
  name: number;
  type: number;
  offset: number;
  size: number;
  link: number;
}

const SYMTAB = 2;
const IDENT = 64;

export function bufferBytes(buffer: Buffer): Bytes {
  return { size: buffer.length, read: (offset, length) => buffer.subarray(offset, offset + length) };
}

/**
 * Calls `use` with an open file. Synchronous: reading a few hundred bytes of a cached file is quicker than a thread switch.
 * @throws KmodError module.unreadable
 */
export function withFile<T>(path: string, use: (bytes: Bytes) => T): T {
  const fd = readable(path, () => openSync(path, 'r'));
  try {
    const read = (offset: number, length: number) => {
      const buffer = Buffer.allocUnsafe(length);
      return buffer.subarray(
        0,
        readable(path, () => readSync(fd, buffer, 0, length, offset)),
      );
    };
    return use({ size: fstatSync(fd).size, read });
  } finally {
    closeSync(fd);
  }
}

function readable<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'EISDIR' ? 'it is a directory' : (error as Error).message;
    throw new KmodError('module.unreadable', `cannot read ${path}: ${why}`, { where: path, cause: error });
  }
}

/** The parts of an ELF object (.ko) that say what it is: sections by name, and its symbols. 32 and 64 bit, either byte order. */
export class ElfObject {
  readonly #bytes: Bytes;
  readonly #where: string;
  readonly #wide: boolean;
  readonly #little: boolean;
  readonly #sections: Section[];
  readonly #names: Buffer;

  /** @throws KmodError module.not-elf */
  constructor(bytes: Bytes, where: string) {
    this.#bytes = bytes;
    this.#where = where;
    const head = this.#read(0, Math.min(IDENT, bytes.size));
    if (head.length < 52 || head.readUInt32BE(0) !== 0x7f454c46) throw notElf(where, 'it has no ELF header');
    this.#wide = head[4] === 2;
    this.#little = head[5] === 1;
    const table = this.#wide ? this.#u64(head, 40) : this.#u32(head, 32);
    const [entrySize, count, names] = [0, 2, 4].map((i) => this.#u16(head, (this.#wide ? 58 : 46) + i)) as [
      number,
      number,
      number,
    ];
    if (entrySize < (this.#wide ? 64 : 40) || names >= count) throw notElf(where, 'its section table is damaged');
    const raw = this.#read(table, entrySize * count);
    this.#sections = Array.from({ length: count }, (_, i) => this.#section(raw, i * entrySize));
    this.#names = this.#content(this.#sections[names] as Section);
  }

  /** Bytes of the whole object. */
  get size(): number {
    return this.#bytes.size;
  }

  /** The content of a section, or undefined when there is none of that name. */
  section(name: string): Buffer | undefined {
    const found = this.#sections.find((section) => text(this.#names, section.name) === name);
    return found && this.#content(found);
  }

  /** Names of the symbols it uses but does not define. */
  undefinedSymbols(): string[] {
    const table = this.#sections.find((section) => section.type === SYMTAB);
    const strings = table && this.#sections[table.link];
    if (!table || !strings) return [];
    const symbols = this.#content(table);
    const names = this.#content(strings);
    const entrySize = this.#wide ? 24 : 16;
    const found: string[] = [];
    for (let at = entrySize; at + entrySize <= symbols.length; at += entrySize) {
      if (this.#u16(symbols, at + (this.#wide ? 6 : 14)) !== 0) continue;
      const name = this.#u32(symbols, at);
      if (name !== 0) found.push(text(names, name));
    }
    return found;
  }

  #section(raw: Buffer, at: number): Section {
    const name = this.#u32(raw, at);
    const type = this.#u32(raw, at + 4);
    return this.#wide
      ? { name, type, offset: this.#u64(raw, at + 24), size: this.#u64(raw, at + 32), link: this.#u32(raw, at + 40) }
      : { name, type, offset: this.#u32(raw, at + 16), size: this.#u32(raw, at + 20), link: this.#u32(raw, at + 24) };
  }

  #content(section: Section): Buffer {
    return this.#read(section.offset, section.size);
  }

  #read(offset: number, length: number): Buffer {
    if (offset + length > this.#bytes.size) throw notElf(this.#where, 'it is cut short');
    return this.#bytes.read(offset, length);
  }

  #u16(buffer: Buffer, at: number): number {
    return this.#little ? buffer.readUInt16LE(at) : buffer.readUInt16BE(at);
  }

  #u32(buffer: Buffer, at: number): number {
    return this.#little ? buffer.readUInt32LE(at) : buffer.readUInt32BE(at);
  }

  #u64(buffer: Buffer, at: number): number {
    return Number(this.#little ? buffer.readBigUInt64LE(at) : buffer.readBigUInt64BE(at));
  }
}

function text(strings: Buffer, at: number): string {
  const end = strings.indexOf(0, at);
  return strings.toString('latin1', at, end < 0 ? strings.length : end);
}

function notElf(where: string, why: string): KmodError {
  return new KmodError('module.not-elf', `${where} is not a kernel module: ${why}`, {
    hint: 'Install the kernel package again.',
    where,
  });
}
