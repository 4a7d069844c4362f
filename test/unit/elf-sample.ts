/** A tiny ELF file with only what a dynamic loader reads: enough for every case that no program of this machine has. */
export interface ElfSample {
  bits?: 32 | 64;
  machine?: number;
  interpreter?: string;
  needed?: string[];
  soname?: string;
  rpath?: string;
  runpath?: string;
  /** JSON of a `.note.dlopen`. */
  dlopen?: string;
}

export function makeElf(sample: ElfSample): Buffer {
  const wide = (sample.bits ?? 64) === 64;
  const word = (value: number) => {
    const bytes = Buffer.alloc(wide ? 8 : 4);
    if (wide) bytes.writeBigUInt64LE(BigInt(value));
    else bytes.writeUInt32LE(value);
    return bytes;
  };
  const half = (value: number, size = 4) => {
    const bytes = Buffer.alloc(size);
    bytes.writeUIntLE(value, 0, size);
    return bytes;
  };
  const strings: string[] = [''];
  const text = (value: string) => {
    strings.push(value);
    return strings.slice(0, -1).reduce((sum, one) => sum + one.length + 1, 0);
  };
  const tags: [number, number][] = [
    ...(sample.needed ?? []).map((name): [number, number] => [1, text(name)]),
    ...(sample.soname ? [[14, text(sample.soname)] as [number, number]] : []),
    ...(sample.rpath ? [[15, text(sample.rpath)] as [number, number]] : []),
    ...(sample.runpath ? [[29, text(sample.runpath)] as [number, number]] : []),
  ];
  const table = Buffer.from(`${strings.join('\0')}\0`);
  const json = Buffer.from(`${sample.dlopen ?? ''}\0`);
  const padding = Buffer.alloc((4 - (json.length % 4)) % 4);
  const note = Buffer.concat([half(4), half(json.length), half(0x407c0c0a), Buffer.from('FDO\0'), json, padding]);
  const interpreter = Buffer.from(`${sample.interpreter ?? ''}\0`);

  const headerSize = wide ? 64 : 52;
  const entrySize = wide ? 56 : 32;
  const base = 0x400000;
  const start = headerSize + 4 * entrySize;
  const at = { table: start, interpreter: start + table.length, note: start + table.length + interpreter.length };
  const dynamicAt = at.note + note.length;
  const dynamic = Buffer.concat(
    [...tags, [5, base + at.table], [0, 0]].map((pair) => Buffer.concat(pair.map((value) => word(value as number)))),
  );
  const segment = (type: number, offset: number, size: number) =>
    wide
      ? Buffer.concat([half(type), half(4), ...[offset, base + offset, base + offset, size, size, 4].map(word)])
      : Buffer.concat([half(type), ...[offset, base + offset, base + offset, size, size, 4, 4].map(word)]);
  const whole = dynamicAt + dynamic.length;
  const segments = [
    segment(1, 0, whole),
    segment(2, dynamicAt, dynamic.length),
    sample.interpreter ? segment(3, at.interpreter, interpreter.length) : segment(0, 0, 0),
    sample.dlopen ? segment(4, at.note, note.length) : segment(0, 0, 0),
  ];
  const ident = Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]), Buffer.alloc(9)]);
  const header = Buffer.concat([
    ident,
    ...[half(3, 2), half(sample.machine ?? 62, 2), half(1)],
    ...[word(0), word(headerSize), word(0), half(0)],
    ...[headerSize, entrySize, segments.length, 0, 0, 0].map((value) => half(value, 2)),
  ]);
  return Buffer.concat([header, ...segments, table, interpreter, note, dynamic]);
}
