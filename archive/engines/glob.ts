import { DatabaseSync } from 'node:sqlite';
import { isName } from './source.ts';

/** Tests paths with a glob, as `mindi list` does in a catalog: of whole paths, or without `/` of names. */
export function globTest(glob: string): (path: string) => boolean {
  const database = new DatabaseSync(':memory:');
  const query = database.prepare('SELECT ? GLOB ? AS found');
  const pattern = isName(glob) ? glob : `/${glob.replace(/^(\.?\/)+/, '')}`;
  return (path) => {
    const text = isName(glob) ? path.slice(path.lastIndexOf('/') + 1) : path;
    return query.get(text, pattern)?.found === 1;
  };
}
