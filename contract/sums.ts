/** A file and its hash, as a line of the list that sha256sum(1) writes and checks. */
export interface Sum {
  /** Relative, without `./`. */
  path: string;
  /** Hex. */
  sha256: string;
}

/** What stands on the medium beside its files, so that it can be checked without anything else. */
export const SUMS = {
  /** Every file of the medium but itself: `cd /medium && sha256sum -c mindi/sha256sums`. */
  list: 'mindi/sha256sums',
  /** Where in a big file the damage is: see Regions. */
  regions: 'mindi/regions.json',
} as const;

/** Hashes of the pieces of big files; the list alone decides whether a file is whole. */
export interface Regions {
  /** Bytes of a piece; a file's last one may be shorter. */
  size: number;
  /** By path: the first 16 hex digits of each piece's SHA-256. */
  files: Record<string, string[]>;
}

/** Hex digits of a piece's hash that are kept. */
export const REGION_DIGITS = 16;

/** The list's text, in the order given. A path with a line break in it could not be read back. */
export function formatSums(sums: readonly Sum[]): string {
  return sums.map(({ path, sha256 }) => `${sha256}  ${path}\n`).join('');
}

/** Reads a list. Any text gives an answer: lines that are none of a list come as their numbers, from 1. */
export function parseSums(text: string): { sums: Sum[]; badLines: number[] } {
  const sums: Sum[] = [];
  const badLines: number[] = [];
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (const [index, line] of lines.entries()) {
    const [, sha256, path] = /^([0-9a-f]{64}) {2}([^/\0][^\0]*)$/.exec(line) ?? [];
    if (sha256 && path && !path.split('/').includes('..')) sums.push({ sha256, path });
    else badLines.push(index + 1);
  }
  return { sums, badLines };
}
