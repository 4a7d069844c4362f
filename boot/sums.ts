import { createHash, subtle } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { cached, hashOf, piecesOf } from '../builder/cache.ts';
import { formatSums, REGION_DIGITS, type Regions, SUMS } from '../contract/sums.ts';
import type { Source } from './medium.ts';

/** Bytes of a region; a file up to this size has none. */
const REGION = 1 << 20;
/** Raise it when the same file would give other sums. */
const FORMAT = 1;
/** Bytes of a file's lines in both lists; FAT's longest path. */
const LONGEST_LINES = 2 * 260 + 64 + 16;
const UNKNOWN = '0'.repeat(64);
const NO_REGION = '0'.repeat(REGION_DIGITS);

interface FileSums {
  sha256: string;
  /** As Regions.files; empty for a small file. */
  regions: string[];
}

/** Of a medium's files, by path. */
export type Sums = Map<string, FileSums>;

/** The files of a medium and the lists by which it can be checked: SUMS.list names every other file. */
export async function withSums(
  files: ReadonlyMap<string, Source>,
  identities?: Readonly<Record<string, string>>,
): Promise<Map<string, Source>> {
  return new Map([...files, ...sumLists(await sumsOf(files, identities))]);
}

/** @param identities as MediumParts says: the sums of these files are remembered */
export async function sumsOf(
  files: ReadonlyMap<string, Source>,
  identities: Readonly<Record<string, string>> = {},
): Promise<Sums> {
  const sums: Sums = new Map();
  for (const [path, source] of files)
    sums.set(path, await fileSums(source, typeof source === 'string' ? identities[source] : undefined));
  return sums;
}

/** As long as those of files of these sizes, which are not known yet. */
export function unknownSums(sizes: ReadonlyMap<string, number>): Sums {
  const sums = [...sizes].map(([path, size]): [string, FileSums] => {
    const regions = Array.from({ length: size > REGION ? Math.ceil(size / REGION) : 0 }, () => NO_REGION);
    return [path, { sha256: UNKNOWN, regions }];
  });
  return new Map(sums);
}

/** SUMS.regions and SUMS.list. */
export function sumLists(sums: Sums): Map<string, Buffer> {
  const pieces = [...sums].flatMap(([path, { regions }]) => (regions.length > 0 ? [[path, regions]] : [])).sort();
  const regions: Regions = { size: REGION, files: Object.fromEntries(pieces) };
  const regionsFile = Buffer.from(`${JSON.stringify(regions, null, 1)}\n`);
  const list = [...sums].map(([path, { sha256 }]) => ({ path, sha256 }));
  list.push({ path: SUMS.regions, sha256: createHash('sha256').update(regionsFile).digest('hex') });
  list.sort((a, b) => (a.path < b.path ? -1 : 1));
  return new Map([
    [SUMS.regions, regionsFile],
    [SUMS.list, Buffer.from(formatSums(list))],
  ]);
}

/** At most so many bytes are the lists of files of these sizes. */
export function listBytes(sizes: readonly number[]): number {
  const regions = sizes.reduce((sum, size) => sum + Math.ceil(size / REGION), 0);
  return sizes.length * LONGEST_LINES + regions * (REGION_DIGITS + 8);
}

export async function fileSums(source: Source, identity?: string): Promise<FileSums> {
  if (typeof source !== 'string') return compute(regionsOf(source));
  if (identity === undefined) return compute(piecesOf(source));
  const path = await cached('sums', `${hashOf([FORMAT, REGION, identity])}.json`, async (temporary) => {
    await writeFile(temporary, JSON.stringify(await compute(piecesOf(source))));
  });
  return JSON.parse(await readFile(path, 'utf8'));
}

function* regionsOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += REGION) yield bytes.subarray(at, at + REGION);
}

/** @param regions pieces of REGION bytes, the last one may be shorter */
async function compute(regions: Iterable<Uint8Array>): Promise<FileSums> {
  const whole = createHash('sha256');
  const digests: Promise<ArrayBuffer>[] = [];
  for (const region of regions) {
    digests.push(subtle.digest('SHA-256', region as Uint8Array<ArrayBuffer>)); // of a copy, on the thread pool
    whole.update(region);
  }
  const each = (await Promise.all(digests)).map((digest) =>
    Buffer.from(digest).toString('hex').slice(0, REGION_DIGITS),
  );
  return { sha256: whole.digest('hex'), regions: each.length > 1 ? each : [] };
}
