import { rm } from 'node:fs/promises';
import { volumeName } from '../../contract/archive-set.ts';
import { VOLUME_FILE } from '../../contract/volume.ts';
import { checkAgain, volumeOf } from '../sources/source.ts';
import { markNewest, nextSet } from '../stores/newest.ts';
import { openStore } from '../stores/open.ts';
import { get, put } from '../stores/requests.ts';
import { scratchFolder } from './scratch.ts';
import type { Target, TargetContext } from './target.ts';

/** A server that takes files one by one: each archive goes there as soon as it is finished. */
export async function webTarget(to: { url: string; credentials?: string }, context: TargetContext): Promise<Target> {
  const { settings } = context;
  const store = await openStore(to.url, to.credentials);
  const set = await nextSet(store, settings.name);
  const scratch = await scratchFolder(context);
  let folder = '';
  return {
    ...scratch,
    set: `${store.name}/${set}`,
    own: { mine: [scratch.work], others: [] },
    staged: true,
    overhead: () => 0,
    async begin(volume) {
      folder = `${set}/${volumeName(volume.number)}`;
      // Whoever looks for a free number sees that this one is taken.
      await put(store, `${folder}/${VOLUME_FILE}`, Buffer.from(`${JSON.stringify(volume)}\n`));
    },
    async place(file) {
      await put(store, `${folder}/${file.name}`, file);
      await rm(file.path);
      return [];
    },
    async seal(volume, texts) {
      const place = folder;
      for (const [name, text] of texts) await put(store, `${place}/${name}`, Buffer.from(text));
      if (!settings.verify) return;
      const name = `${store.name}/${place}`;
      const there = await volumeOf(name, (file) => get(store, `${place}/${file}`));
      await checkAgain(there, volume, name);
    },
    async finish() {
      await markNewest(store, settings.name, set);
      await scratch.remove();
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
