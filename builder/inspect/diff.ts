import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { hashFile, hashOf } from '../cache.ts';
import { allEntries, type Image, type ImageEntry } from './image.ts';
import { byTree } from './initrd.ts';
import { type Origin, originsOf, pathInside } from './origins.ts';

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
  /** Where the file came from and comes from now, as the media's manifests tell it; null where one tells nothing. */
  origin?: { before: Origin | null; after: Origin | null };
}

/**
 * What is different between two images, by path, the images inside them included.
 * @param scratch a directory of its own for what must be unpacked to be compared
 */
export async function diffImages(one: Image, other: Image, scratch: string): Promise<Change[]> {
  const changes = (await diffLayer(one, other, '', scratch)).sort(byTree);
  const [before, after] = await Promise.all([originsOf(one), originsOf(other)]);
  return changes.map((change) => {
    const path = pathInside(change.path);
    const origin = {
      before: change.before === null ? null : (before.get(path) ?? null),
      after: change.after === null ? null : (after.get(path) ?? null),
    };
    return origin.before || origin.after ? { ...change, origin } : change;
  });
}

/** An image inside is compared only where its own bytes differ. */
async function diffLayer(one: Image, other: Image, prefix: string, scratch: string): Promise<Change[]> {
  const [before, after] = [index(one), index(other)];
  const both = [...before].flatMap(([path, was]) => {
    const is = after.get(path);
    return is ? [{ path, was, is }] : [];
  });
  const work = join(scratch, hashOf(prefix));
  const comparable = both.filter(({ was, is }) => was.type === 'file' && is.type === 'file' && was.size === is.size);
  const [hashesBefore, hashesAfter] = [
    await hashAll(
      one,
      comparable.map(({ was }) => was),
      join(work, 'before'),
    ),
    await hashAll(
      other,
      comparable.map(({ is }) => is),
      join(work, 'after'),
    ),
  ];
  const changes: Change[] = [
    ...[...before].flatMap(([path, was]) => (after.has(path) ? [] : alone(one, was, prefix, 'removed'))),
    ...[...after].flatMap(([path, is]) => (before.has(path) ? [] : alone(other, is, prefix, 'added'))),
  ];
  for (const { path, was, is } of both) {
    const same = was.size === is.size && hashesBefore.get(path) === hashesAfter.get(path);
    const differs = differences(was, is, same);
    if (differs.length === 0) continue;
    changes.push({ path: prefix + was.path, change: 'changed', before: was.size, after: is.size, differs });
    const [innerBefore, innerAfter] = [one.inner.get(was.path), other.inner.get(is.path)];
    if (innerBefore && innerAfter && !same) {
      changes.push(...(await diffLayer(innerBefore, innerAfter, `${prefix}${was.path}:`, scratch)));
    }
  }
  return changes;
}

const index = (image: Image) => new Map(image.entries.map((entry) => [entry.path, entry]));

/** Something only one side has, with everything in it where it is an image itself. */
function alone(image: Image, entry: ImageEntry, prefix: string, change: 'added' | 'removed'): Change[] {
  const inner = image.inner.get(entry.path);
  const all = [{ ...entry, path: prefix + entry.path }, ...(inner ? allEntries(inner, `${prefix}${entry.path}:`) : [])];
  return all.map(({ path, size }) => {
    return { path, change, before: change === 'added' ? null : size, after: change === 'added' ? size : null };
  });
}

function differences(was: ImageEntry, is: ImageEntry, sameContent: boolean): Aspect[] {
  if (was.type !== is.type) return ['type'];
  return [
    ...(sameContent ? [] : ['content' as const]),
    ...(was.target === is.target ? [] : ['target' as const]),
    ...(was.device?.major === is.device?.major && was.device?.minor === is.device?.minor ? [] : ['device' as const]),
    ...(was.mode === is.mode ? [] : ['mode' as const]),
    ...(was.uid === is.uid && was.gid === is.gid ? [] : ['owner' as const]),
  ];
}

/** SHA-256 of files of one layer, by path. */
async function hashAll(layer: Image, files: readonly ImageEntry[], work: string): Promise<Map<string, string>> {
  if (files.length === 0) return new Map();
  await layer.extract?.(files, work);
  const hashes = new Map<string, string>();
  for (const file of files) {
    const { sha256 } = layer.extract ? await hashFile(join(work, file.path)) : sha256Of(await layer.read(file));
    hashes.set(file.path, sha256);
  }
  return hashes;
}

const sha256Of = (bytes: Uint8Array) => ({ sha256: createHash('sha256').update(bytes).digest('hex') });
