import type { Profile } from '../builder/profile/load.ts';
import type { ProfileFile } from '../builder/profile/schema.ts';
import { parseSize, parseSpan } from '../builder/profile/size.ts';
import { LEVELS, type MethodName } from '../contract/archive-set.ts';
import { MindiError } from '../contract/error.ts';
import type { EncryptionSettings } from './encryption/keys.ts';

/** `archive.to` of a profile, paths absolute. */
export type ArchiveTo = NonNullable<NonNullable<ProfileFile['archive']>['to']>;

/** A target for people: its directory, device or address. */
export function nameOf(to: ArchiveTo): string {
  const said = to as Partial<Record<(typeof KINDS)[number], string>>;
  return KINDS.map((kind) => said[kind]).find((name) => name !== undefined) ?? '';
}
const KINDS = ['directory', 'iso', 'burner', 'usb', 'tape', 'url', 'repository'] as const;

/** Where there is room for volumes, and what outlives a boot. */
const SCRATCH = '/var/tmp';

/** What a run archives and where to, all said. */
export interface ArchiveSettings {
  /** Names the sets. */
  name: string;
  /** Absolute paths. */
  include: readonly string[];
  /** Absolute paths and globs; without a `/` they mean names in any directory. */
  exclude: readonly string[];
  /** A directory with a file of such a name is left out, but for itself. */
  excludeTagged: readonly string[];
  /** Bytes. */
  excludeLargerThan: number | null;
  /** Minutes since it was last changed. */
  excludeOlderThan: number | null;
  filesystems: 'one' | 'local' | 'all';
  /** Where sets are written to. */
  to: ArchiveTo;
  /** Where volumes are made that go somewhere else. */
  scratch: string;
  /** Bytes of the first volume, the second …, and of all after the last one said; null: what the medium takes. */
  volume: readonly number[] | null;
  /** Each volume is read back from where it was written. */
  verify: boolean;
  method: MethodName;
  level: number;
  encryption: EncryptionSettings | null;
  /** Percent of a volume that may be damaged and yet comes back; null: none. */
  parity: number | null;
}

/**
 * What a profile says of archiving.
 * @throws MindiError `archive.unsaid` when it does not say what, or where to.
 */
export function archiveSettings({ name, archive, where, file }: Profile): ArchiveSettings {
  const { to, include, compression } = archive;
  const unsaid: [boolean, string, string, string][] = [
    [include.length === 0, 'include', 'what to archive', '[/srv]'],
    [to === null, 'to', 'where to', '{ directory: /bkp }'],
  ];
  const problems = unsaid
    .filter(([missing]) => missing)
    .map(
      ([, key, what, example]) =>
        new MindiError(`the profile does not say ${what}`, {
          code: 'archive.unsaid',
          where: where(['archive', key]),
          hint: `archive: { ${key}: ${example} }`,
        }),
    );
  if (archive.parity !== null && to !== null && hasNoParity(to, archive.volume))
    problems.push(
      new MindiError('parity is made for each volume of a size, before it goes where it belongs', {
        code: 'archive.parity',
        where: where(['archive', 'parity']),
        hint: 'Say archive.volume: 25GB; there is none on tapes, nor on servers that take files one by one.',
      }),
    );
  if (to === null || problems.length > 0) throw MindiError.all(problems, file, 'archive.unsaid');
  return {
    name,
    include: [...new Set(include.map((path) => path.replace(/(.)\/+$/, '$1')))],
    exclude: archive.exclude,
    excludeTagged: archive.excludeTagged,
    excludeLargerThan: sizeOf(archive.excludeLargerThan),
    excludeOlderThan: archive.excludeOlderThan === null ? null : parseSpan(archive.excludeOlderThan),
    filesystems: archive.filesystems,
    to: to as ArchiveTo,
    scratch: archive.scratch ?? SCRATCH,
    volume: sizesOf(archive.volume),
    verify: archive.verify,
    method: compression,
    level: archive.level ?? LEVELS[compression].usual,
    encryption: encryptionOf(archive.encryption),
    parity: archive.parity === null ? null : Number.parseInt(archive.parity, 10),
  };
}

function encryptionOf(said: Profile['archive']['encryption']): EncryptionSettings | null {
  if (said === null) return null;
  const { age = [], passphraseFile = null }: Partial<EncryptionSettings> = said;
  return { age, passphraseFile };
}

/** A whole set at once would take par2 days; tapes and web servers get their archives as they come. */
const hasNoParity = (to: ArchiveTo, volume: Profile['archive']['volume']) =>
  volume === null || 'tape' in to || ('url' in to && /^(https?|s3)\b/.test(to.url));

const sizeOf = (size: string | number | null) => (size === null ? null : parseSize(String(size)));
const sizesOf = (sizes: string | number | readonly (string | number)[] | null) =>
  sizes === null ? null : [sizes].flat().map((size) => sizeOf(size) as number);

/** Tar bytes of an archive, before compression. */
const USUAL_ARCHIVE = 256 << 20;
const SMALLEST_ARCHIVE = 1 << 20;
/** A volume holds whole archives: with so many of them little room is left over. */
const ARCHIVES_OF_VOLUME = 16;

/** Bytes of tar an archive holds at most. */
export function archiveLimit(volume: ArchiveSettings['volume']): number {
  if (volume === null) return USUAL_ARCHIVE;
  const least = Math.min(...volume);
  return Math.max(SMALLEST_ARCHIVE, Math.min(USUAL_ARCHIVE, Math.floor(least / ARCHIVES_OF_VOLUME)));
}

/** Bytes the volume of that number has at most, from 1. */
export function volumeLimit(volume: ArchiveSettings['volume'], number: number): number | null {
  return volume === null ? null : (volume[number - 1] ?? volume.at(-1) ?? null);
}
