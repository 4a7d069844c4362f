import { volumeName } from '../../contract/archive-set.ts';
import { MindiError } from '../../contract/error.ts';
import { newestSetOf } from '../stores/newest.ts';
import { openStore } from '../stores/open.ts';
import { get } from '../stores/requests.ts';
import type { Store } from '../stores/store.ts';
import { type SetSource, type VolumeSource, volumeOf } from './source.ts';

/** No set has so many volumes. */
const MOST = 100_000;

/** A set on a server that gives files one by one: the address of the set, of one of its volumes, or of what holds sets. */
export async function webSource(text: string, credentials: string | undefined): Promise<SetSource> {
  const store = await openStore(text, credentials);
  const volumes = (await volumesOf(store, '')) ?? (await newestVolumes(store));
  if (volumes) return { name: store.name, volumes, [Symbol.asyncDispose]: async () => {} };
  throw new MindiError('there is no set', {
    code: 'set.none',
    where: store.name,
    hint: 'Name the address of a set, or the one `archive.to` says.',
    exitCode: 1,
  });
}

async function newestVolumes(store: Store): Promise<VolumeSource[] | undefined> {
  const set = await newestSetOf(store);
  return set === undefined ? undefined : volumesOf(store, `${set}/`);
}

/** One after the other, up to the one that says it is the last, or is not there. */
async function volumesOf(store: Store, set: string): Promise<VolumeSource[] | undefined> {
  const own = await volumeAt(store, set);
  if (own) return [own];
  const volumes: VolumeSource[] = [];
  for (let number = 1; number < MOST; number += 1) {
    const volume = await volumeAt(store, `${set}${volumeName(number)}/`);
    if (!volume) break;
    volumes.push(volume);
    if (volume.volume.of !== null) break;
  }
  return volumes.length > 0 ? volumes : undefined;
}

const volumeAt = (store: Store, folder: string) =>
  volumeOf(`${store.name}/${folder}`, (file) => get(store, `${folder}${file}`));
