import type { MediumManifest } from '../trust/manifest.ts';
import { allEntries, type Image } from './image.ts';

/** Where a file of a medium comes from, as the medium's own manifest tells it. */
export interface Origin {
  /** `lvm2 2.03.16-2`; null: nobody knows. */
  package: string | null;
  /** What of the profile brought it: `tools.sets: lvm`. */
  why: string[];
}

const MANIFEST = /(^|:)\/?mindi\/manifest\.json$/;

/** By path on the rescue system. Empty for what carries no manifest, or none that can be read. */
export async function originsOf(image: Image): Promise<ReadonlyMap<string, Origin>> {
  const entry = allEntries(image).find(({ path }) => MANIFEST.test(path));
  if (!entry) return new Map();
  try {
    const { files } = JSON.parse(Buffer.from(await entry.layer.read(entry.inside)).toString()) as MediumManifest;
    return new Map(files.map(({ path, package: owner, why }) => [path, { package: owner, why }]));
  } catch {
    return new Map();
  }
}

/** `mindi/initrd.img:/usr/bin/busybox` is /usr/bin/busybox there. */
export const pathInside = (path: string): string => `/${path.slice(path.lastIndexOf(':') + 1).replace(/^\//, '')}`;
