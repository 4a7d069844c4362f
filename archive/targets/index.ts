import { MindiError } from '../../contract/error.ts';
import { placeAddress } from '../places/place.ts';
import { nameOf } from '../settings.ts';
import { directoryTarget } from './directory.ts';
import { isoTarget } from './iso.ts';
import { tapeTarget } from './tape.ts';
import type { Target, TargetContext } from './target.ts';
import { webTarget } from './web.ts';

/** Begins a new set where the settings say. */
export async function openTarget(context: TargetContext): Promise<Target> {
  const { to } = context.settings;
  if ('directory' in to) return directoryTarget(to.directory, undefined, context);
  if ('iso' in to) return isoTarget(to, context);
  if ('url' in to && placeAddress(to.url)) return directoryTarget(to.url, to.credentials, context);
  if ('tape' in to) return tapeTarget(to, context);
  const web = 'url' in to ? await webTarget(to, context) : undefined;
  if (web) return web;
  throw new MindiError('mindi cannot write sets there yet', {
    code: 'archive.target',
    where: nameOf(to),
    hint: 'archive: { to: { directory: /bkp } }',
  });
}
