import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { CheckReport } from '../contract/report.ts';
import { PATHS, type RescueConfig } from '../contract/rescue-config.ts';
import { parseSums, REGION_DIGITS, type Regions, SUMS } from '../contract/sums.ts';
import { chunks } from './reading.ts';

/** Damaged places of one file that are told. */
const MOST_PLACES = 3;
const MIB = 1024 * 1024;

/** Told while it reads: the file, and how many of its bytes are read. */
export type CheckProgress = (path: string, done: number, size: number) => void;

/** What the boot image knows by itself, by path on the medium: hex SHA-256. */
export function knownSums({ stage2, manifest }: RescueConfig): Map<string, string> {
  const known = new Map<string, string>();
  if (manifest) known.set(PATHS.mediumManifest, manifest.sha256);
  if (stage2?.where === 'medium') known.set(stage2.path, stage2.sha256);
  return known;
}

/** Reads every file of the medium in a directory and compares it with the medium's own list and with what is known. */
export async function checkMedium(
  directory: string,
  known: ReadonlyMap<string, string>,
  progress: CheckProgress,
): Promise<CheckReport> {
  const list = readList(directory);
  if (typeof list === 'string') return { whole: false, files: 0, bytes: 0, sentences: [list] };
  const regions = readRegions(directory);
  const { sums, badLines } = list;
  const sentences = badLines.slice(0, MOST_PLACES).map((line) => `${LIST} is damaged in line ${line}.`);
  const listed = new Set(sums.map(({ path }) => path));
  for (const path of known.keys()) if (!listed.has(path)) sentences.push(`${LIST} does not name ${path}.`);
  let bytes = 0;
  for (const { path, sha256 } of sums) {
    const file = await readFile(directory, path, (done, size) => progress(path, done, size));
    bytes += file.size;
    const wrong = file.failure ?? compare(path, file, { sha256, known: known.get(path), regions });
    if (wrong) sentences.push(wrong);
  }
  const whole = sentences.length === 0;
  if (whole) sentences.push(`This medium is whole: ${sums.length} files, ${mebibytes(bytes)}.`);
  return { whole, files: sums.length, bytes, sentences };
}

const LIST = `The list of files (${SUMS.list})`;

function readList(directory: string): ReturnType<typeof parseSums> | string {
  try {
    const list = parseSums(readFileSync(join(directory, SUMS.list), 'utf8'));
    return list.sums.length > 0 ? list : `${LIST} is empty or damaged.`;
  } catch (error) {
    return `${LIST} cannot be read: ${(error as Error).message}.`;
  }
}

/** Only helps to say where a file is damaged, so that any mistake in it means that it is not known. */
function readRegions(directory: string): Regions {
  try {
    const { size, files } = JSON.parse(readFileSync(join(directory, SUMS.regions), 'utf8'));
    const sound = Number.isSafeInteger(size) && size > 0 && Object.values(files).every(Array.isArray);
    return sound ? { size, files } : NO_REGIONS;
  } catch {
    return NO_REGIONS;
  }
}

const NO_REGIONS: Regions = { size: MIB, files: {} };

interface Read {
  size: number;
  sha256: string;
  /** Of each MiB. */
  regions: string[];
  /** Why it could not be read, a sentence. */
  failure?: string;
}

async function readFile(
  directory: string,
  path: string,
  progress: (done: number, size: number) => void,
): Promise<Read> {
  const file = join(directory, path);
  const whole = createHash('sha256');
  const read: Read = { size: 0, sha256: '', regions: [] };
  try {
    const { size } = statSync(file);
    progress(0, size);
    for await (const chunk of chunks(file)) {
      whole.update(chunk);
      read.regions.push(createHash('sha256').update(chunk).digest('hex').slice(0, REGION_DIGITS));
      read.size += chunk.length;
      progress(read.size, size);
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const missing = code === 'ENOENT' || code === 'ENOTDIR';
    read.failure = missing
      ? `${path} is missing.`
      : `${path} cannot be read beyond ${mebibytes(read.size)} (${message}).`;
  }
  return { ...read, sha256: whole.digest('hex') };
}

interface Expected {
  /** As the list says. */
  sha256: string;
  /** As the boot image says. */
  known: string | undefined;
  regions: Regions;
}

function compare(path: string, file: Read, { sha256, known, regions }: Expected): string | null {
  if (file.sha256 === sha256 && (known === undefined || known === sha256)) return null;
  if (file.sha256 === sha256) return `${path} is not the one this boot image belongs to.`;
  if (file.sha256 === known) return `${LIST} is damaged: ${path} itself is right.`;
  return `${path} is damaged${where(file, regions.files[path], regions.size)}.`;
}

/** ` between 12 and 13 MiB, …`; where no regions are known, how big the file is. */
function where({ regions, size }: Read, expected: readonly string[] | undefined, region: number): string {
  if (!expected || region !== MIB) return `, somewhere in its ${mebibytes(size)}`;
  const count = Math.max(expected.length, regions.length);
  const wrong = Array.from({ length: count }, (_, index) => index).filter(
    (index) => regions[index] !== expected[index],
  );
  const places: [from: number, to: number][] = [];
  for (const index of wrong) {
    const last = places.at(-1);
    if (last?.[1] === index) last[1] = index + 1;
    else places.push([index, index + 1]);
  }
  const shown = places.slice(0, MOST_PLACES).map(([from, to]) => `between ${from} and ${to} MiB`);
  const more = places.length > MOST_PLACES ? [`in ${places.length - MOST_PLACES} more places`] : [];
  return places.length > 0 ? ` ${[...shown, ...more].join(', ')}` : '';
}

function mebibytes(bytes: number): string {
  return bytes < MIB ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / MIB).toFixed(1)} MiB`;
}
