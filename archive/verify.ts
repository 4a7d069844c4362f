import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf } from '../contract/error.ts';
import type { Sum } from '../contract/sums.ts';
import { readHeader } from '../contract/tar.ts';
import { holderOf } from './bases.ts';
import { bytes, checked, count, orNull } from './checked.ts';
import { FrameReader, piecesOf } from './frames.ts';
import { dataSum, type Piece } from './packer.ts';
import { parityOf, paritySums, type VolumeParity } from './parity/state.ts';
import { CONTENTS_OF, type MemberRow, membersOf, shownPath } from './selection.ts';
import type { ArchiveSet } from './set.ts';
import { shown, sumOf } from './sums.ts';

export interface ArchiveRow {
  number: number;
  volume: number;
  size: number;
  length: number;
  sha256: Uint8Array;
}

const ARCHIVE_ROW = { number: count, volume: orNull(count), size: count, length: count, sha256: bytes(32) };

export interface VerifyResult {
  archives: number;
  bytes: number;
  /** What is wrong with volumes and archives, a sentence each. */
  problems: string[];
  /** Of the volumes with damage that have parity: whether it can repair them. */
  parity: VolumeParity[];
  /** Files that cannot be restored as they were, without parity. */
  damaged: { path: string; type: string; archive: number }[];
}

/**
 * Compares every byte of a set with its hashes, what it takes from its bases included. In archives that are not what they
 * were, the files are named.
 */
export async function verifySet(
  set: ArchiveSet,
  progress: (done: number, total: number) => void,
): Promise<VerifyResult> {
  const problems = [...set.problems];
  const archives = [...holders(set, problems)].flatMap(([base, holder]) =>
    archivesOf(set, base, holder).map((archive) => ({ base, holder, archive })),
  );
  const total = archives.reduce((sum, { archive }) => sum + archive.size, 0);
  const result: VerifyResult = { archives: archives.length, bytes: total, problems, parity: [], damaged: [] };
  const spoiled = new Spoiled();
  for (const { folder, from, volume } of set.volumes) if (from !== folder) spoiled.add(set, folder, volume.number);
  let done = 0;
  for (const { base, holder, archive } of archives) {
    const path = await holder.fetchArchive(archive.number, archive.volume);
    const wrong = await wrongWith(path, archive);
    if (wrong) {
      spoiled.add(holder, dirname(path), archive.volume);
      result.problems.push(base === null ? wrong : `${set.bases[base - 1]?.name}: ${wrong}`);
      result.damaged.push(...(await damagedIn(set, base, archive.number)));
    }
    done += archive.size;
    progress(done, total);
  }
  for (const { folder, sums, volume } of set.volumes) {
    const wrong = await otherFiles(folder, sums);
    if (wrong.length > 0) spoiled.add(set, folder, volume.number);
    result.problems.push(...wrong);
  }
  result.parity = await spoiled.parity();
  return result;
}

/** The set itself and the bases it takes files from; those that are not there are problems. */
function* holders(set: ArchiveSet, problems: string[]): Generator<[number | null, ArchiveSet]> {
  yield [null, set];
  const bases = 'SELECT DISTINCT base FROM members WHERE base IS NOT NULL ORDER BY base';
  for (const base of numbers(set, bases)) {
    try {
      yield [base, holderOf(set, base)];
    } catch (error) {
      problems.push(messageOf(error));
    }
  }
}

/** All of the set itself; of a base those that hold what the set has. */
function archivesOf(set: ArchiveSet, base: number | null, holder: ArchiveSet): ArchiveRow[] {
  const all = [...checked<ArchiveRow>(holder.catalog, ARCHIVE_ROW, 'SELECT * FROM archives ORDER BY number')];
  if (base === null) return all;
  const used = new Set(numbers(set, 'SELECT DISTINCT archive FROM members WHERE base = ? AND slices = 1', base));
  for (const member of numbers(set, 'SELECT base_member FROM members WHERE base = ? AND slices > 1', base))
    for (const archive of numbers(holder, 'SELECT archive FROM slices WHERE member = ?', member)) used.add(archive);
  return all.filter(({ number }) => used.has(number));
}

/** A column of whole numbers. */
function numbers({ catalog }: ArchiveSet, sql: string, ...values: number[]): number[] {
  return catalog
    .prepare(sql)
    .all(...values)
    .flatMap((row) => Object.values(row))
    .filter((value): value is number => count(value));
}

/** Volumes with damage. */
class Spoiled {
  readonly #volumes = new Map<string, () => Promise<void>>();

  add(set: ArchiveSet, folder: string, volume: number): void {
    this.#volumes.set(folder, () => set.fetchVolume(volume));
  }

  async parity(): Promise<VolumeParity[]> {
    for (const fetch of this.#volumes.values()) await fetch();
    return parityOf([...this.#volumes.keys()]);
  }
}

/** Archives of a volume that is missing are not named one by one. */
async function wrongWith(path: string, { number, volume, size, sha256 }: ArchiveRow): Promise<string | undefined> {
  if (!existsSync(path)) return `archive ${number} is missing: it belongs on volume ${volume}`;
  const found = await sumOf(path);
  if (!found) return `${path} cannot be read`;
  if (found.size !== size) return `${path} has ${found.size} bytes, and must have ${size}`;
  return Buffer.from(sha256).toString('hex') === found.sha256 ? undefined : `${path} is damaged`;
}

/** Members that a damaged archive holds, or a slice of, and that do not come out as they went in. */
async function damagedIn(set: ArchiveSet, base: number | null, archive: number): Promise<VerifyResult['damaged']> {
  const damaged: VerifyResult['damaged'] = [];
  const reader = new FrameReader(set, { mends: false });
  const cut = numbers(holderOf(set, base), 'SELECT member FROM slices WHERE archive = ?', archive);
  try {
    const members = membersOf(
      set.catalog,
      `WHERE base IS ? AND ((archive = ? AND slices = 1)
       OR coalesce(base_member, id) IN (SELECT value FROM json_each(?))) ORDER BY start`,
      ...[base, archive, JSON.stringify(cut)],
    );
    for (const member of members) {
      if (!(await isWholeIn(set, reader, member, archive)))
        damaged.push({ path: shownPath(member.path), type: member.type, archive });
    }
  } finally {
    reader.close();
  }
  return damaged;
}

/** A hard link is made anew: it is as whole as what it is a link to. */
async function isWholeIn(set: ArchiveSet, reader: FrameReader, member: MemberRow, archive: number): Promise<boolean> {
  if (member.type === 'link') {
    const [target] = membersOf(set.catalog, CONTENTS_OF, member.target);
    return target !== undefined && (await isWholeIn(set, reader, target, archive));
  }
  if (member.slices === 1) return isWhole(reader, member);
  const pieces = piecesOf(set, member).filter((piece) => piece.archive === archive);
  for (const piece of pieces) if (!(await isReadable(reader, piece))) return false;
  return true;
}

/** Whether a member's headers are its own and its data have its hash. */
async function isWhole(reader: FrameReader, member: MemberRow): Promise<boolean> {
  let sum: ReturnType<typeof dataSum> | undefined;
  for await (const { bytes } of reader.read(member)) {
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

async function isReadable(reader: FrameReader, piece: Piece): Promise<boolean> {
  for await (const { bytes } of reader.read(piece)) if (!bytes) return false;
  return true;
}

/** READMEs and what tells about volumes; the catalog was compared when the set was opened. */
async function otherFiles(folder: string, sums: readonly Sum[]): Promise<string[]> {
  const problems = sums.length === 0 ? [`${folder} has no list of sums`] : [];
  const more = [...sums.filter(({ path }) => !/^\d+\.tar|^catalog/.test(path)), ...paritySums(folder)];
  for (const { path, sha256 } of more) {
    const file = join(folder, path);
    if ((await sumOf(file))?.sha256 !== sha256) problems.push(`${shown(file)} is missing or not what it was`);
  }
  return problems;
}
