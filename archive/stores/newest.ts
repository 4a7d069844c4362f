import { NEWEST_SET, parseSetName, setName, volumeName } from '../../contract/archive-set.ts';
import { parseVolume, VOLUME_FILE, VOLUME_FILE_LIMIT } from '../../contract/volume.ts';
import { textOf } from '../sources/source.ts';
import { get, put } from './requests.ts';
import type { Store } from './store.ts';

/**
 * Such a server may not tell what it has. So two files beside the sets name the newest complete one: of all, and of each
 * profile.
 */
const newestOf = (name: string) => `${name}.${NEWEST_SET}`;
const LIMIT = 300;

async function pointer(store: Store, file: string): Promise<string | undefined> {
  const text = (await textOf(await get(store, file), LIMIT)).trim();
  return parseSetName(text)?.complete ? text : undefined;
}

/** The newest complete set there. */
export const newestSetOf = (store: Store) => pointer(store, NEWEST_SET);

/** The name of the next set: no volume is there under that name. */
export async function nextSet(store: Store, name: string): Promise<string> {
  const newest = await pointer(store, newestOf(name));
  for (let number = (parseSetName(newest ?? '')?.number ?? 0) + 1; ; number += 1) {
    const next = setName(name, number);
    const there = await get(store, `${next}/${volumeName(1)}/${VOLUME_FILE}`);
    if (!parseVolume(await textOf(there, VOLUME_FILE_LIMIT))) return next;
  }
}

/** Tells that a set is complete. */
export async function markNewest(store: Store, name: string, set: string): Promise<void> {
  for (const file of [newestOf(name), NEWEST_SET]) await put(store, file, Buffer.from(`${set}\n`));
}
