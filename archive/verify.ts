import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { hashFile } from '../builder/cache.ts';
import { CATALOG } from '../contract/archive-set.ts';
import { readHeader } from '../contract/tar.ts';
import { rows } from './catalog.ts';
import { FrameReader, piecesOf } from './frames.ts';
import { dataSum, type Piece } from './packer.ts';
import { CONTENTS_OF, type MemberRow, shownPath } from './selection.ts';
import type { ArchiveSet } from './set.ts';

export interface ArchiveRow {
  number: number;
  volume: number;
  size: number;
  length: number;
  sha256: Uint8Array;
}

export interface VerifyResult {
  archives: number;
  bytes: number;
  /** What is wrong with volumes and archives, a sentence each. */
  problems: string[];
  /** Files that cannot be restored as they were. */
  damaged: { path: string; type: string; archive: number }[];
}

/** Compares every byte of a set with its hashes. In archives that are not what they were, the files are named. */
export async function verifySet(
  set: ArchiveSet,
  progress: (done: number, total: number) => void,
): Promise<VerifyResult> {
  const archives = [...rows<ArchiveRow>(set.catalog, 'SELECT * FROM archives ORDER BY number')];
  const total = archives.reduce((sum, { size }) => sum + size, 0);
  const result: VerifyResult = { archives: archives.length, bytes: total, problems: [...set.problems], damaged: [] };
  let done = 0;
  for (const archive of archives) {
    const wrong = await wrongWith(set, archive);
    if (wrong) {
      result.problems.push(wrong);
      result.damaged.push(...damagedIn(set, archive.number));
    }
    done += archive.size;
    progress(done, total);
  }
  result.problems.push(...(await otherFiles(set)));
  return result;
}

/** Archives of a volume that is missing are not named one by one. */
async function wrongWith(set: ArchiveSet, { number, volume, size, sha256 }: ArchiveRow): Promise<string | undefined> {
  const path = set.archivePath(number, volume);
  if (!existsSync(path)) return `archive ${number} is missing: it belongs on volume ${volume}`;
  const sum = createHash('sha256');
  let read = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      sum.update(chunk as Buffer);
      read += (chunk as Buffer).length;
    }
  } catch (error) {
    return `${path} cannot be read: ${(error as Error).message}`;
  }
  if (read !== size) return `${path} has ${read} bytes, and must have ${size}`;
  return sum.digest().equals(sha256) ? undefined : `${path} is damaged`;
}

/** Members that a damaged archive holds, or a slice of, and that do not come out as they went in. */
function* damagedIn(set: ArchiveSet, archive: number): Generator<VerifyResult['damaged'][number]> {
  const reader = new FrameReader(set);
  try {
    const members = rows<MemberRow>(
      set.catalog,
      `SELECT * FROM members WHERE (archive = ? AND slices = 1)
       OR id IN (SELECT member FROM slices WHERE archive = ?) ORDER BY start`,
      ...[archive, archive],
    );
    for (const member of members) {
      if (!isWholeIn(set, reader, member, archive)) yield { path: shownPath(member.path), type: member.type, archive };
    }
  } finally {
    reader.close();
  }
}

/** A hard link is made anew: it is as whole as what it is a link to. */
function isWholeIn(set: ArchiveSet, reader: FrameReader, member: MemberRow, archive: number): boolean {
  if (member.type === 'link') {
    const [target] = rows<MemberRow>(set.catalog, CONTENTS_OF, member.target);
    return target !== undefined && isWholeIn(set, reader, target, archive);
  }
  if (member.slices === 1) return isWhole(reader, member);
  const pieces = piecesOf(set, member).filter((piece) => piece.archive === archive);
  return pieces.every((piece) => isReadable(reader, piece));
}

/** Whether a member's headers are its own and its data have its hash. */
function isWhole(reader: FrameReader, member: MemberRow): boolean {
  let sum: ReturnType<typeof dataSum> | undefined;
  for (const { bytes } of reader.read(member)) {
    if (!bytes) return false;
    if (!sum) {
      const header = readHeader(bytes, 0, bytes.length);
      // Headers longer than a frame are not looked into: their frames have the right sum.
      if (header === 'more') return isReadable(reader, member);
      if (header === 'end' || !header.path.equals(member.path)) return false;
      sum = dataSum(header);
    }
    sum.update(bytes);
  }
  return member.sha256 === null || sum?.digest().equals(member.sha256) === true;
}

function isReadable(reader: FrameReader, piece: Piece): boolean {
  for (const { bytes } of reader.read(piece)) if (!bytes) return false;
  return true;
}

/** READMEs and what tells about volumes; the catalog was compared when the set was opened. */
async function otherFiles(set: ArchiveSet): Promise<string[]> {
  const problems: string[] = [];
  for (const { folder, sums } of set.volumes) {
    if (sums.length === 0) problems.push(`${folder} has no list of sums`);
    for (const { path, sha256 } of sums.filter(({ path }) => !/^\d+\.tar/.test(path) && path !== CATALOG)) {
      const file = join(folder, path);
      if (!existsSync(file) || (await hashFile(file)).sha256 !== sha256)
        problems.push(`${file} is missing or not what it was`);
    }
  }
  return problems;
}
