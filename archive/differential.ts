import type { DatabaseSync } from 'node:sqlite';
import type { BaseSet } from '../contract/archive-set.ts';
import { KnownFiles } from './known-files.ts';
import type { ArchiveSet } from './set.ts';

/** What a differential set compares with and refers to. */
export class Base extends KnownFiles {
  /** The set, its own base, and so on. */
  readonly chain: readonly BaseSet[];
  readonly #path: string;

  /** @param set stays open as long as this is used */
  constructor(set: ArchiveSet, name: string) {
    super(set.catalogPath, set.at);
    this.chain = [
      { id: set.id, name, created: set.created },
      ...set.bases.map(({ id, name, created }) => ({ id, name, created })),
    ];
    this.#path = set.catalogPath;
  }

  /** Writes into the new set's catalog what it takes from the base, and what of that is gone. Returns how many of each. */
  copyInto(catalog: DatabaseSync): { kept: number; deleted: number } {
    this.close();
    catalog.function('is_kept', (id) => Number(this.isKept(Number(id))));
    catalog.function('is_seen', (id) => Number(this.isSeen(Number(id))));
    catalog.prepare('ATTACH ? AS base').run(this.#path);
    const kept = catalog.prepare(KEEP).run().changes;
    const deleted = catalog
      .prepare('INSERT INTO deleted SELECT path FROM base.members WHERE NOT is_seen(id)')
      .run().changes;
    catalog.exec('DETACH base');
    return { kept: Number(kept), deleted: Number(deleted) };
  }
}

const FACTS = `path, type, mode, uid, gid, size, mtime, ctime, target, device, sha256, attributes, flags, trouble,
  archive, start, length, slices, inode`;
const KEEP = `INSERT INTO members (${FACTS}, base, base_member)
  SELECT ${FACTS}, coalesce(base, 0) + 1, coalesce(base_member, id) FROM base.members WHERE is_kept(id)`;
