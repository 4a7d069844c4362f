import { readFileSync } from 'node:fs';
import { dropForeignLanguages } from './icu.ts';

/** Raise it when slimming changes: what was hashed before is hashed again. */
export const SLIMMING = 3;

/** A runtime's program without symbols (17 MB of node) and other languages' data (27 MB). */
export function slimmed(path: string): Buffer {
  const program = withoutSymbols(readFileSync(path));
  dropForeignLanguages(program);
  return program;
}

/** Offsets in the header of a 64-bit ELF file, and in its program headers (elf(5)). */
const ELF = { programHeaders: 32, sectionHeaders: 40, headerSize: 54, headerCount: 56, sections: 60, names: 62 };
const PROGRAM_HEADER = { offset: 8, size: 32 };

/**
 * An ELF program up to the end of what is loaded into memory: its sections are for debuggers and linkers only. As
 * `strip` does, but the same bytes whatever binutils a machine has.
 */
export function withoutSymbols(program: Buffer): Buffer {
  const at = Number(program.readBigUInt64LE(ELF.programHeaders));
  const size = program.readUInt16LE(ELF.headerSize);
  const ends = Array.from({ length: program.readUInt16LE(ELF.headerCount) }, (_, index) => {
    const header = at + index * size;
    const read = (field: number) => Number(program.readBigUInt64LE(header + field));
    return read(PROGRAM_HEADER.offset) + read(PROGRAM_HEADER.size);
  });
  program.writeBigUInt64LE(0n, ELF.sectionHeaders);
  program.writeUInt16LE(0, ELF.sections);
  program.writeUInt16LE(0, ELF.names);
  return program.subarray(0, Math.max(...ends));
}
