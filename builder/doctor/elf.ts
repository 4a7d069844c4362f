import fs from 'node:fs';

const PT_INTERP = 3;

/** Whether a file is a 64-bit ELF program that needs no dynamic loader (elf(5): no PT_INTERP program header). */
export function isStaticProgram(path: string): boolean {
  const bytes = fs.readFileSync(path);
  if (bytes.length < 64 || bytes.toString('latin1', 0, 4) !== '\x7fELF' || bytes[4] !== 2) return false;
  const start = Number(bytes.readBigUInt64LE(32));
  const size = bytes.readUInt16LE(54);
  const count = bytes.readUInt16LE(56);
  for (let at = start; at < start + size * count; at += size || 1) {
    if (at + 4 > bytes.length || bytes.readUInt32LE(at) === PT_INTERP) return false;
  }
  return count > 0;
}
