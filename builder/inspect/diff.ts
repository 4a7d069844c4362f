import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { hashFile } from '../cache.ts';
import { allEntries, type Image, type ImageEntry } from './image.ts';
import { byTree } from './initrd.ts';

/** What of a thing differs. */
export type Aspect = 'type' | 'content' | 'target' | 'device' | 'mode' | 'owner';

export interface Change {
  path: string;
  change: 'added' | 'removed' | 'changed';
  /** Bytes before and after; null where there is none. */
  before: number | null;
  after: number | null;
  /** For `changed`. */
  differs?: Aspect[];
}

/**
 * What is different between two images, by path, the images inside them included.
 * @param scratch a directory of its own for what must be unpacked to be compared
 */
export async function diffImages(one: Image, other: Image, scratch: string): Promise<Change[]> {
  const [before, after] = [index(one), index(other)];
  const both = [...before].flatMap(([path, was]) => {
    const is = after.get(path);
    return is ? [{ was, is }] : [];
  });
  const comparable = both.filter(({ was, is }) => was.type === 'file' && is.type === 'file' && was.size === is.size);
  const hashes = new Map([
    ...(await hashAll(
      comparable.map(({ was }) => was),
      join(scratch, 'before'),
    )),
    ...(await hashAll(
      comparable.map(({ is }) => is),
      join(scratch, 'after'),
    )),
  ]);
  const changes: Change[] = [
    ...both.flatMap(({ was, is }): Change[] => {
      const differs = differences(was, is, hashes);
      return differs.length > 0
        ? [{ path: was.path, change: 'changed', before: was.size, after: is.size, differs }]
        : [];
    }),
    ...[...after].flatMap(([path, is]): Change[] =>
      before.has(path) ? [] : [{ path: is.path, change: 'added', before: null, after: is.size }],
    ),
    ...[...before].flatMap(([path, was]): Change[] =>
      after.has(path) ? [] : [{ path: was.path, change: 'removed', before: was.size, after: null }],
    ),
  ];
  return changes.sort(byTree);
}

type Located = ImageEntry & { layer: Image; inside: ImageEntry };

const index = (image: Image) => new Map([...allEntries(image)].map((entry) => [entry.path.replace(/^\//, ''), entry]));

function differences(was: Located, is: Located, hashes: ReadonlyMap<Located, string>): Aspect[] {
  if (was.type !== is.type) return ['type'];
  const same = was.size === is.size && hashes.get(was) === hashes.get(is);
  return [
    ...(same ? [] : ['content' as const]),
    ...(was.target === is.target ? [] : ['target' as const]),
    ...(was.device?.major === is.device?.major && was.device?.minor === is.device?.minor ? [] : ['device' as const]),
    ...(was.mode === is.mode ? [] : ['mode' as const]),
    ...(was.uid === is.uid && was.gid === is.gid ? [] : ['owner' as const]),
  ];
}

/** SHA-256 of files of one image. What a squashfs holds is unpacked at once. */
async function hashAll(files: readonly Located[], scratch: string): Promise<Map<Located, string>> {
  const hashes = new Map<Located, string>();
  for (const [layer, all] of Map.groupBy(files, (file) => file.layer)) {
    const directory = join(scratch, String(hashes.size));
    await layer.extract?.(
      all.map(({ inside }) => inside),
      directory,
    );
    for (const file of all) {
      const { sha256 } = layer.extract
        ? await hashFile(join(directory, file.inside.path))
        : {
            sha256: createHash('sha256')
              .update(await layer.read(file.inside))
              .digest('hex'),
          };
      hashes.set(file, sha256);
    }
  }
  return hashes;
}
