import type { Profile } from '../../builder/profile/load.ts';
import { parseSize, parseSpan } from '../../builder/profile/size.ts';
import type { Mount } from '../../contract/mounts.ts';
import { chooseRoots } from '../roots.ts';

/** What another engine archives. */
export interface Source {
  /** Absolute paths; what is mounted below one is not entered unless it is one of them. */
  roots: readonly string[];
  /** Absolute paths and globs of them, `*` matches `/` too; without a `/` globs of names. */
  exclude: readonly string[];
  excludeTagged: readonly string[];
  /** Bytes. */
  excludeLargerThan: number | null;
  /** Minutes. */
  excludeOlderThan: number | null;
  compression: Profile['archive']['compression'];
  level: number | null;
}

/**
 * @param mounts of this machine
 * @param own directories that are left out: where snapshots go
 */
export function sourceOf({ archive }: Profile, mounts: readonly Mount[], own: readonly string[]): Source {
  const { include, filesystems } = archive;
  const { starts, binds } = chooseRoots({ include, filesystems }, mounts);
  const { excludeLargerThan, excludeOlderThan } = archive;
  return {
    roots: starts,
    // Programs tell file systems apart by their device, and a bind mount has the one of what it shows.
    exclude: [...archive.exclude, ...own.map(escaped), ...binds.map((path) => `${escaped(path)}/*`)],
    excludeTagged: archive.excludeTagged,
    excludeLargerThan: excludeLargerThan === null ? null : parseSize(String(excludeLargerThan)),
    excludeOlderThan: excludeOlderThan === null ? null : parseSpan(excludeOlderThan),
    compression: archive.compression,
    level: archive.level,
  };
}

/** A path in which nothing is a glob. */
export const escaped = (path: string) => path.replaceAll(/[\\*?[\]]/g, '\\$&');

/** A pattern with each `*` that is one replaced, and others, `\\*`, left or replaced as well. */
export const eachStar = (pattern: string, star: string, literal = (text: string) => text) =>
  pattern.replaceAll(/\\.|\*+/g, (part) => (part.startsWith('*') ? star : literal(part)));

/** Whether a pattern is meant for names, in any directory. */
export const isName = (pattern: string) => !pattern.includes('/');

/** Sentences for what an engine does not know of choosing files. */
export function unknown(
  engine: string,
  source: Source,
  lacks: readonly ('excludeTagged' | 'excludeLargerThan' | 'excludeOlderThan')[],
): string[] {
  return lacks
    .filter((key) => (key === 'excludeTagged' ? source[key].length > 0 : source[key] !== null))
    .map((key) => `${engine} cannot do what archive.${key} says`);
}
