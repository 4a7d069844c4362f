import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { INCOMPLETE, OPEN_CATALOG, parseSetName, SET_FORMAT, setName } from '../contract/archive-set.ts';
import { MindiError, messageOf } from '../contract/error.ts';
import { openCatalog, rows } from './catalog.ts';
import { KnownFiles } from './known-files.ts';
import type { ArchiveSettings } from './settings.ts';
import type { NewArchive } from './volumes.ts';

/** A set that was never finished and that a run goes on with. */
export interface Unfinished {
  folder: string;
  catalog: DatabaseSync;
  facts: Record<string, string>;
}

/** What does not matter to what is in a set. */
const ELSEWHERE: (keyof ArchiveSettings)[] = ['verify', 'scratch'];

/**
 * The set a run may go on with: the newest of its name, when that was never finished and lies in a directory of this
 * machine with its catalog beside it.
 * @returns null when there is none; a note tells why when one might expect it
 * @throws MindiError `archive.resume` when it was begun with other settings
 */
export function findUnfinished(settings: ArchiveSettings, note: (text: string) => void): Unfinished | null {
  const folder = newestUnfinished(settings);
  if (folder === null) return null;
  const where = `${folder} cannot be gone on with`;
  if (!existsSync(join(folder, OPEN_CATALOG))) {
    note(`${where}: its catalog is not there`);
    return null;
  }
  const catalog = opened(join(folder, OPEN_CATALOG));
  if (typeof catalog === 'string') {
    note(`${where}: ${catalog}`);
    return null;
  }
  const facts = Object.fromEntries(
    [...rows<{ name: string; value: string }>(catalog, 'SELECT name, value FROM facts')].map(({ name, value }) => [
      name,
      value,
    ]),
  );
  const differing = differences(JSON.parse(facts.settings ?? '{}'), settings);
  if (differing.length > 0) {
    catalog.close();
    throw new MindiError(`the unfinished set was begun with other settings: ${differing.join(', ')}`, {
      code: 'archive.resume',
      where: folder,
      hint: 'Set them as they were, or archive without --resume, which begins a new set; the unfinished one can be removed then.',
    });
  }
  note(`going on with ${folder}, begun ${facts.created}`);
  return { folder, catalog, facts };
}

function newestUnfinished({ to, name, encryption }: ArchiveSettings): string | null {
  if (!('directory' in to) || encryption || !existsSync(to.directory)) return null;
  const sets = readdirSync(to.directory)
    .map(parseSetName)
    .filter((set) => set?.name === name)
    .toSorted((one, other) => (other?.number ?? 0) - (one?.number ?? 0));
  const [newest] = sets;
  if (!newest || newest.complete) return null;
  return join(to.directory, `${setName(name, newest.number)}${INCOMPLETE}`);
}

/** The catalog, or what keeps it from being gone on with: after a power cut it may be anything. */
function opened(path: string): DatabaseSync | string {
  let catalog: DatabaseSync | undefined;
  try {
    catalog = openCatalog(path);
    const problem = problemOf(catalog);
    if (problem === null) return catalog;
    catalog.close();
    return problem;
  } catch (error) {
    if (catalog?.isOpen) catalog.close();
    return `its catalog is damaged: ${messageOf(error)}`;
  }
}

function problemOf(catalog: DatabaseSync): string | null {
  const [checked] = rows<{ quick_check: string }>(catalog, 'PRAGMA quick_check(1)');
  if (checked?.quick_check !== 'ok') return 'its catalog is damaged';
  const value = (name: string) => catalog.prepare('SELECT value FROM facts WHERE name = ?').get(name)?.value;
  if (value('format') !== String(SET_FORMAT)) return 'another version of mindi began it';
  return value('bases') === '[]' ? null : 'it is a differential set';
}

function differences(was: Partial<ArchiveSettings>, is: ArchiveSettings): string[] {
  const now: Partial<ArchiveSettings> = JSON.parse(JSON.stringify(is));
  const keys = new Set([...Object.keys(was), ...Object.keys(now)] as (keyof ArchiveSettings)[]);
  return [...keys].filter((key) => !ELSEWHERE.includes(key) && JSON.stringify(was[key]) !== JSON.stringify(now[key]));
}

/**
 * Makes of an unfinished set one with whole archives only: what is half written, or is not what the catalog says, goes; the
 * rest lies in the set's directory, to be put on volumes anew.
 * @returns the archives, in order
 */
export async function wholeArchives({ folder, catalog }: Unfinished): Promise<NewArchive[]> {
  const files = await gathered(folder);
  const whole: NewArchive[] = [];
  const lost: number[] = [];
  const known = [
    ...rows<{ number: number; size: number; sha256: Uint8Array; used: number }>(
      catalog,
      `SELECT number, size, sha256, number IN (SELECT archive FROM members UNION SELECT archive FROM slices) AS used
       FROM archives ORDER BY number`,
    ),
  ];
  for (const { number, size, sha256, used } of known) {
    const path = files.get(number);
    // Without a member are archives of slices of a file that did not come to its end.
    if (used && path !== undefined && (await isWhole(path, size, sha256))) {
      whole.push({ number, size, sha256 });
      files.delete(number);
    } else lost.push(number);
  }
  for (const path of files.values()) await rm(path);
  forget(catalog, lost);
  return whole;
}

/** Every archive into the set's directory, whatever volume it was on. */
async function gathered(folder: string): Promise<Map<number, string>> {
  const files = new Map<number, string>();
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const number = /^(\d{6,})\.tar/.exec(entry.name)?.[1];
    if (number === undefined || !entry.isFile()) continue;
    const path = join(folder, entry.name);
    if (entry.parentPath !== folder) await rename(join(entry.parentPath, entry.name), path);
    files.set(Number(number), path);
  }
  for (const name of readdirSync(folder))
    if (!files.has(Number.parseInt(name, 10)) && !basename(name).startsWith(OPEN_CATALOG))
      await rm(join(folder, name), { recursive: true });
  return files;
}

/** After a power cut a file may have its size and not its bytes. */
async function isWhole(path: string, size: number, sha256: Uint8Array): Promise<boolean> {
  if (statSync(path).size !== size) return false;
  const sum = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) sum.update(chunk as Buffer);
  return sum.digest().equals(sha256);
}

function forget(catalog: DatabaseSync, archives: readonly number[]): void {
  catalog.exec('BEGIN IMMEDIATE');
  // What went wrong with files is seen again: those that had trouble are read again.
  catalog.exec('DELETE FROM troubles');
  for (const number of archives) {
    for (const sql of [
      'DELETE FROM members WHERE archive = ?1 OR id IN (SELECT member FROM slices WHERE archive = ?1)',
      'DELETE FROM frames WHERE archive = ?',
      'DELETE FROM archives WHERE number = ?',
    ])
      catalog.prepare(sql).run(number);
  }
  catalog.exec('DELETE FROM slices WHERE member NOT IN (SELECT id FROM members); COMMIT');
}

/** The members of an unfinished set: what is as it was is not read again. */
export class ResumedFiles extends KnownFiles {
  readonly #path: string;
  readonly #last: number;

  constructor({ folder, catalog, facts }: Unfinished) {
    const path = join(folder, `${OPEN_CATALOG}.before`);
    rmSync(path, { force: true });
    catalog.prepare('ATTACH ? AS before').run(path);
    catalog.exec(
      'CREATE TABLE before.members AS SELECT id, path, type, size, mtime, ctime, inode, trouble FROM main.members; DETACH before',
    );
    super(path, facts.at ?? facts.created ?? '');
    this.#path = path;
    this.#last = Number(catalog.prepare('SELECT max(id) AS last FROM members').get()?.last ?? 0);
  }

  /** Takes out of the catalog what was archived before and is not so any more: it is there anew, or gone. */
  async removeOthers(catalog: DatabaseSync): Promise<void> {
    this.close();
    catalog.function('is_kept', (id) => Number(this.isKept(Number(id))));
    catalog.exec('BEGIN IMMEDIATE');
    catalog.prepare('DELETE FROM members WHERE id <= ? AND NOT is_kept(id)').run(this.#last);
    catalog.exec('DELETE FROM slices WHERE member NOT IN (SELECT id FROM members); COMMIT');
    await rm(this.#path);
  }
}
