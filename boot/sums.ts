import { createHash, subtle } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { cached, hashOf, piecesOf } from '../builder/cache.ts';
import { MindiError } from '../contract/error.ts';
import { formatSums, REGION_DIGITS, type Regions, SUMS } from '../contract/sums.ts';
import type { Source } from './medium.ts';

/** Bytes of a region; a file up to this size has none. */
const REGION = 1 << 20;
/** Raise it when the same file would give other sums. */
const FORMAT = 1;
/** Bytes of a file's lines in both lists; FAT's longest path. */
const LONGEST_LINES = 2 * 260 + 64 + 16;
const UNKNOWN = '0'.repeat(64);

interface FileSums {
  sha256: string;
  /** As Regions.files; empty for a small file. */
  regions: string[];
}

/**
 * The files of a medium and the lists by which it can be checked: SUMS.list names every other file.
 * @param identities as MediumParts says: the sums of these files are remembered
 * @param later paths whose bytes are not known yet; `enterSum` writes theirs into the finished image
 */
export async function withSums(
  files: ReadonlyMap<string, Source>,
  identities: Readonly<Record<string, string>> = {},
  later: readonly string[] = [],
): Promise<Map<string, Source>> {
  const sums = new Map(later.map((path): [string, FileSums] => [path, { sha256: UNKNOWN, regions: [] }]));
  for (const [path, source] of files) {
    if (!sums.has(path))
      sums.set(path, await sumsOf(source, typeof source === 'string' ? identities[source] : undefined));
  }
  const pieces = [...sums].flatMap(([path, { regions }]) => (regions.length > 0 ? [[path, regions]] : [])).sort();
  const regions: Regions = { size: REGION, files: Object.fromEntries(pieces) };
  const regionsFile = Buffer.from(`${JSON.stringify(regions, null, 1)}\n`);
  sums.set(SUMS.regions, await sumsOf(regionsFile));
  const list = [...sums].map(([path, { sha256 }]) => ({ path, sha256 })).sort((a, b) => (a.path < b.path ? -1 : 1));
  return new Map([...files, [SUMS.regions, regionsFile], [SUMS.list, Buffer.from(formatSums(list))]]);
}

/** At most so many bytes are the lists of files of these sizes. */
export function listBytes(sizes: readonly number[]): number {
  const regions = sizes.reduce((sum, size) => sum + Math.ceil(size / REGION), 0);
  return sizes.length * LONGEST_LINES + regions * (REGION_DIGITS + 8);
}

/** Writes the sum of a file whose bytes were not known into the list, which lies somewhere in the image in one piece. */
export function enterSum(image: Buffer, path: string, bytes: Uint8Array): void {
  const at = image.indexOf(formatSums([{ path, sha256: UNKNOWN }]));
  if (at < 0) throw new MindiError(`the list of sums has no ${path}`, { code: 'sums.malformed', exitCode: 70 });
  image.write(createHash('sha256').update(bytes).digest('hex'), at, 'latin1');
}

async function sumsOf(source: Source, identity?: string): Promise<FileSums> {
  if (typeof source !== 'string') return compute([source]);
  if (identity === undefined) return compute(piecesOf(source));
  const path = await cached('sums', `${hashOf([FORMAT, REGION, identity])}.json`, async (temporary) => {
    await writeFile(temporary, JSON.stringify(await compute(piecesOf(source))));
  });
  return JSON.parse(await readFile(path, 'utf8'));
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
