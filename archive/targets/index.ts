import { MindiError } from '../../contract/error.ts';
import { directoryTarget } from './directory.ts';
import type { Target, TargetContext } from './target.ts';

/** Begins a new set where the settings say. */
export async function openTarget(context: TargetContext): Promise<Target> {
  const { to } = context.settings;
  if ('directory' in to) return directoryTarget(to.directory, context);
  throw new MindiError('sets are written to directories only', {
    code: 'archive.target',
    hint: 'archive: { to: { directory: /bkp } }',
  });
}
