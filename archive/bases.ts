import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type BaseSet, parseBases, parseSetName } from '../contract/archive-set.ts';
import { MindiError } from '../contract/error.ts';
import { firstVolume } from './find-set.ts';
import type { ArchiveSet } from './set.ts';

/** A set that a differential one takes files from, when it is there. */
export interface OpenBase extends BaseSet {
  set: ArchiveSet | null;
}

/**
 * The sets a differential one takes files from. They lie beside it; one that is not there, or cannot be opened, is null.
 * @param fact `bases` of its catalog
 * @param open null: they are not needed
 */
export async function openBases(
  fact: string | undefined,
  folder: string,
  open: ((path: string) => Promise<ArchiveSet>) | null,
): Promise<OpenBase[]> {
  const opened: OpenBase[] = [];
  for (const base of parseBases(fact)) {
    const path = open && folderOfSet(dirname(folder), base);
    opened.push({ ...base, set: open && path ? await open(path).catch(() => null) : null });
  }
  return opened;
}

/** Under its own name, or under another one. */
function folderOfSet(parent: string, { id, name }: BaseSet): string | null {
  const names = readdirSync(parent).filter((one) => parseSetName(one)?.complete);
  const ordered = [...names.filter((one) => one === name), ...names.filter((one) => one !== name)];
  const found = ordered.find((one) => firstVolume(join(parent, one))?.set === id);
  return found === undefined ? null : join(parent, found);
}

/**
 * The set whose archives hold a member.
 * @param base as the member's row says
 * @throws MindiError `set.base` when that is not there
 */
export function holderOf(set: ArchiveSet, base: number | null): ArchiveSet {
  if (base === null) return set;
  const { name, created, set: holder } = set.bases[base - 1] ?? { name: 'a set', created: 'an unknown day', set: null };
  if (holder) return holder;
  throw new MindiError(
    `this is a differential set, and what it was made from is missing or damaged: ${name}, of ${created}`,
    {
      code: 'set.base',
      where: set.folder,
      hint: `Put ${name} beside it. What the set holds itself is extracted by --own.`,
      exitCode: 1,
    },
  );
}
