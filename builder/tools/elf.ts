import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { MindiError, messageOf } from '../../contract/error.ts';

/** What a dynamic loader would want to know of a program or library. man 5 elf. */
export interface Elf {
  /** 32 or 64, and e_machine: a library fits only where both are the same. */
  bits: 32 | 64;
  machine: number;
  /** PT_INTERP, the dynamic loader; undefined for static programs and for libraries. */
  interpreter?: string;
  /** DT_NEEDED, in order. */
  needed: string[];
  soname?: string;
  runpath: string[];
  /** DT_RPATH; a loader heeds it only where there is no RUNPATH, and also for the libraries' own needs. */
  rpath: string[];
  /** What it may open at run time, from `.note.dlopen`. */
  dlopen: DlopenNote[];
}

/** https://systemd.io/ELF_DLOPEN_METADATA/ */
export interface DlopenNote {
  /** Any one of them will do; the first is preferred. */
  soname: string[];
  priority: 'required' | 'recommended' | 'suggested';
}

const PT = { LOAD: 1, DYNAMIC: 2, INTERP: 3, NOTE: 4 } as const;
const DT = { NULL: 0, NEEDED: 1, STRTAB: 5, SONAME: 14, RPATH: 15, RUNPATH: 29 } as const;
const FDO_DLOPEN = 0x407c0c0a;

/** Beyond these a table is no table: the file is damaged. */
const MOST_TABLE = 1 << 20;
const LONGEST_STRING = 4096;
/** e_phnum of a file with more program headers than fit there; only core dumps have it. */
const PN_XNUM = 0xffff;

/** Reads `length` bytes at `offset`, fewer where the file ends. */
type Read = (offset: number, length: number) => Buffer;

/**
 * Reads the headers of an ELF file, never running it. Undefined when the file is no ELF file.
 * @throws MindiError `elf.damaged` with its path; `elf.unreadable` when it cannot be read.
 */
export function readElf(path: string): Elf | undefined {
  try {
    const file = openSync(path, 'r');
    try {
      const { size } = fstatSync(file);
      return parseElf((offset, length) => {
        const buffer = Buffer.alloc(Math.max(0, Math.min(length, size - offset)));
        return buffer.subarray(0, buffer.length > 0 ? readSync(file, buffer, 0, buffer.length, offset) : 0);
      }, path);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (error instanceof MindiError) throw error;
    throw new MindiError(`cannot read it: ${messageOf(error)}`, {
      code: 'elf.unreadable',
      where: path,
      hint: 'Build as a user who may read it.',
      cause: error,
    });
  }
}

/** The same from any bytes; `path` is for errors only. */
export function parseElf(read: Read, path: string): Elf | undefined {
  const ident = read(0, 16);
  if (ident.length < 16 || ident.readUInt32BE(0) !== 0x7f454c46) return undefined;
  return new Reader(read, path).elf();
}

interface Segment {
  type: number;
  offset: number;
  address: number;
  size: number;
  align: number;
}

class Reader {
  readonly #read: Read;
  readonly #path: string;
  readonly #wide: boolean;
  readonly #little: boolean;

  constructor(read: Read, path: string) {
    this.#read = read;
    this.#path = path;
    const ident = this.#bytes(0, 16);
    this.#wide = ident[4] === 2;
    this.#little = ident[5] === 1;
  }

  elf(): Elf {
    const segments = this.#segments();
    const interpreter = segments.find(({ type }) => type === PT.INTERP);
    const dynamic = this.#dynamic(segments);
    const [soname] = dynamic.strings(DT.SONAME);
    return {
      bits: this.#wide ? 64 : 32,
      machine: this.#number(this.#bytes(18, 2), 0, 2),
      ...(interpreter ? { interpreter: this.#string(interpreter.offset) } : {}),
      needed: dynamic.strings(DT.NEEDED),
      ...(soname === undefined ? {} : { soname }),
      runpath: directories(dynamic.strings(DT.RUNPATH)),
      rpath: directories(dynamic.strings(DT.RPATH)),
      dlopen: segments.filter(({ type }) => type === PT.NOTE).flatMap((segment) => this.#dlopenNotes(segment)),
    };
  }

  #segments(): Segment[] {
    const header = this.#bytes(0, this.#wide ? 64 : 52);
    const start = this.#word(header, this.#wide ? 32 : 28);
    const entrySize = this.#number(header, this.#wide ? 54 : 42, 2);
    const count = this.#number(header, this.#wide ? 56 : 44, 2);
    if (count === 0) return [];
    if (count === PN_XNUM || entrySize < (this.#wide ? 56 : 32))
      throw this.#damaged('its program headers make no sense');
    const table = this.#bytes(start, entrySize * count);
    const [offset, address, size, align] = this.#wide ? [8, 16, 32, 48] : [4, 8, 16, 28];
    return Array.from({ length: count }, (_, i) => {
      const at = i * entrySize;
      return {
        type: this.#number(table, at, 4),
        offset: this.#word(table, at + offset),
        address: this.#word(table, at + address),
        size: this.#word(table, at + size),
        align: this.#word(table, at + align),
      };
    });
  }

  /** The dynamic section as a lookup from tag to strings. */
  #dynamic(segments: readonly Segment[]): { strings(tag: number): string[] } {
    const entries: [tag: number, value: number][] = [];
    const segment = segments.find(({ type }) => type === PT.DYNAMIC);
    const step = this.#wide ? 16 : 8;
    const table = segment ? this.#bytes(segment.offset, segment.size) : Buffer.alloc(0);
    for (let at = 0; at + step <= table.length; at += step) {
      const tag = this.#word(table, at);
      if (tag === DT.NULL) break;
      entries.push([tag, this.#word(table, at + step / 2)]);
    }
    const address = entries.find(([tag]) => tag === DT.STRTAB)?.[1];
    const strings = (tag: number) =>
      entries
        .filter(([other]) => other === tag)
        .map(([, value]) => this.#string(this.#offsetOf(address, segments) + value));
    return { strings };
  }

  /** Where in the file a virtual address is. */
  #offsetOf(address: number | undefined, segments: readonly Segment[]): number {
    const holder = segments.find(
      (segment) =>
        segment.type === PT.LOAD &&
        address !== undefined &&
        address >= segment.address &&
        address < segment.address + segment.size,
    );
    if (!holder || address === undefined) throw this.#damaged('its string table is nowhere');
    return address - holder.address + holder.offset;
  }

  #dlopenNotes(segment: Segment): DlopenNote[] {
    const notes: DlopenNote[] = [];
    const bytes = this.#bytes(segment.offset, segment.size);
    const padding = segment.align === 8 ? 8 : 4;
    for (let at = 0; at + 12 <= bytes.length; ) {
      const [nameSize, size, type] = [0, 4, 8].map((field) => this.#number(bytes, at + field, 4)) as [
        number,
        number,
        number,
      ];
      const start = at + 12 + roundUp(nameSize, 4);
      const owner = bytes.toString('latin1', at + 12, at + 12 + nameSize);
      if (owner === 'FDO\0' && type === FDO_DLOPEN)
        notes.push(...dlopenNotes(bytes.toString('utf8', start, start + size)));
      at = roundUp(start + size, padding);
    }
    return notes;
  }

  #string(offset: number): string {
    const bytes = this.#read(offset, LONGEST_STRING);
    const end = bytes.indexOf(0);
    if (end < 0) throw this.#damaged('a name in it has no end');
    return bytes.toString('utf8', 0, end);
  }

  #bytes(offset: number, length: number): Buffer {
    if (length > MOST_TABLE) throw this.#damaged('one of its tables is far too large');
    const bytes = this.#read(offset, length);
    if (bytes.length < length) throw this.#damaged('it ends too early');
    return bytes;
  }

  /** A file offset, address or size: 4 or 8 bytes by the class. */
  #word(bytes: Buffer, at: number): number {
    if (!this.#wide) return this.#number(bytes, at, 4);
    const value = this.#little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at);
    return value > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : Number(value);
  }

  #number(bytes: Buffer, at: number, size: number): number {
    return this.#little ? bytes.readUIntLE(at, size) : bytes.readUIntBE(at, size);
  }

  #damaged(why: string): MindiError {
    return new MindiError(`damaged ELF file: ${why}`, {
      code: 'elf.damaged',
      where: this.#path,
      hint: 'Reinstall the package it came with.',
    });
  }
}

const roundUp = (value: number, step: number) => Math.ceil(value / step) * step;
const directories = (paths: string[]) => paths.flatMap((path) => path.split(':')).filter(Boolean);

/** Notes that are not what the specification says are passed over: they are hints, not needs. */
function dlopenNotes(json: string): DlopenNote[] {
  try {
    const notes: unknown = JSON.parse(json.replace(/\0+$/, ''));
    return (Array.isArray(notes) ? notes : []).flatMap((note) => {
      const sonames = Array.isArray(note?.soname) ? note.soname : [];
      const soname = sonames.filter((name: unknown): name is string => typeof name === 'string' && name !== '');
      const priority = ['required', 'suggested'].includes(note?.priority) ? note.priority : 'recommended';
      return soname.length > 0 ? [{ soname, priority }] : [];
    });
  } catch {
    return [];
  }
}
