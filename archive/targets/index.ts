import { MindiError } from '../../contract/error.ts';
import { placeAddress } from '../places/place.ts';
import { nameOf } from '../settings.ts';
import { burnerTarget } from './burner.ts';
import { directoryTarget } from './directory.ts';
import { isoTarget } from './iso.ts';
import { tapeTarget } from './tape.ts';
import type { Target, TargetContext } from './target.ts';
import { usbTarget } from './usb.ts';
import { webTarget } from './web.ts';

/** Begins a new set where the settings say. */
export async function openTarget(context: TargetContext): Promise<Target> {
  const { to } = context.settings;
  if ('directory' in to) return directoryTarget(to.directory, undefined, context);
  if ('iso' in to) return isoTarget(to, context);
  if ('url' in to && placeAddress(to.url)) return directoryTarget(to.url, to.credentials, context);
  if ('burner' in to) return burnerTarget(to, context);
  if ('usb' in to) return usbTarget(to, context);
  if ('tape' in to) return tapeTarget(to, context);
  if ('url' in to) return webTarget(to, context);
  throw new MindiError('that is the store of another engine', {
    code: 'archive.target',
    where: nameOf(to),
    hint: 'Say which: archive: { engine: restic }; or name a directory, a device or a server.',
  });
}
