import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Source } from '../../boot/medium.ts';
import type { BuildListener } from '../../builder/build.ts';
import { PROFILES, type Profile } from '../../builder/profile/load.ts';
import type { Medium } from '../../builder/profile/schema.ts';
import { shown } from '../../contract/settings/text.ts';
import type { TargetContext } from './target.ts';

/** The medium a profile describes, with files of a volume on it. */
export interface BootMedium {
  /** Bytes it has without any. */
  size: number;
  /** Builds it with these files beside its own, by path. */
  make: (files: Readonly<Record<string, Source>>, out: string) => Promise<void>;
}

/** What every profile has that says nothing of media. */
const UNSAID = `${shown(join(PROFILES, 'standalone.yaml'))}:`;

/** Whether a profile says itself that it makes media: a set of all others is data only, and needs no kernel. */
export const namesMedia = (profile: Profile): boolean => !profile.where(['media']).startsWith(UNSAID);

/**
 * The medium of the profile that a set's first volume is to be; null when the profile wants none.
 * @param medium what of the profile's media it is, and `image` what is built for it
 * @param source where the rescue system finds the set, unless the profile says it
 * @param work a directory for what is made on the way
 */
export async function bootMedium(
  { profile, note }: TargetContext,
  { medium, image = medium }: { medium: Medium; image?: Medium },
  source: string,
  work: string,
): Promise<BootMedium | null> {
  if (!profile || !namesMedia(profile)) return null;
  if (!profile.media.includes(medium)) {
    note(`the set is data only: with media: [${medium}] its first volume would start machines`);
    return null;
  }
  const own: Profile = {
    ...profile,
    media: [image],
    restore: { ...profile.restore, source: profile.restore.source ?? source },
  };
  const [{ build }, { stat }] = await Promise.all([import('../../builder/build.ts'), import('node:fs/promises')]);
  const make = async (files: Readonly<Record<string, Source>>, out: string, listener: BuildListener = {}) => {
    const beside = join(dirname(out), '.medium');
    await mkdir(beside, { recursive: true });
    try {
      const { media } = await build(own, beside, listener, { files });
      await rename(media.at(-1)?.path ?? '', out);
    } finally {
      await rm(beside, { recursive: true, force: true });
    }
  };
  const empty = join(work, 'empty-medium');
  await make({}, empty, { note });
  const { size } = await stat(empty);
  await rm(empty);
  return { size, make };
}
