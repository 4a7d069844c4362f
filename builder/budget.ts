import { MindiError } from '../contract/error.ts';
import type { Entry, Manifest } from '../contract/manifest.ts';
import type { PackedSegment } from './pack/segments.ts';
import type { Profile } from './profile/load.ts';

const MIB = 1024 * 1024;

/**
 * RAM a medium needs, in bytes, beside its initrd: the kernel, Node or Bun running the init, and the page cache of the
 * runtime's squashfs. An estimate: it puts `standalone` below the 256 MiB in which it is known to boot.
 */
const RUNNING = 116 * MIB;

/** Bytes of all files the kernel unpacks from the cpio segments into RAM. */
function unpacked(manifest: Manifest, segments: ReadonlyMap<string, PackedSegment>): number {
  const stored = (entry: Entry): number => {
    if (entry.type === 'file') return entry.size;
    return entry.type === 'segment' ? (segments.get(entry.segment)?.size ?? 0) : 0;
  };
  const cpio = manifest.segments.filter(({ format }) => format === 'cpio');
  return cpio.flatMap(({ entries }) => entries).reduce((sum, entry) => sum + stored(entry), 0);
}

/** Bytes of the initrd: its cpio segments one after the other. */
export function initrdSize(manifest: Manifest, segments: ReadonlyMap<string, PackedSegment>): number {
  const cpio = manifest.segments.filter(({ format }) => format === 'cpio');
  return cpio.reduce((sum, { name }) => sum + (segments.get(name)?.size ?? 0), 0);
}

/** Bytes of RAM the medium needs to reach its ready line: while it boots, the packed and the unpacked initrd are both there. */
export function ramNeeded(manifest: Manifest, segments: ReadonlyMap<string, PackedSegment>): number {
  return RUNNING + unpacked(manifest, segments) + initrdSize(manifest, segments);
}

/**
 * @throws MindiError `budget.exceeded` when the initrd or the RAM it needs is over the profile's budget, naming the
 *   biggest items, all at once.
 */
export function checkBudget(manifest: Manifest, segments: ReadonlyMap<string, PackedSegment>, profile: Profile): void {
  const checks = [
    { key: 'initrd', what: 'the initrd has', bytes: initrdSize(manifest, segments) },
    { key: 'ram', what: 'the medium needs about', bytes: ramNeeded(manifest, segments) },
  ] as const;
  const problems = checks.flatMap(({ key, what, bytes }) => {
    const allowed = profile.budget[key];
    if (allowed === null || bytes <= allowed * MIB) return [];
    const message = `${what} ${mebibytes(bytes)} MiB${key === 'ram' ? ' of RAM' : ''}, and budget.${key} allows ${allowed}`;
    const hint = `The biggest: ${biggest(manifest, segments).join(', ')}.`;
    return [new MindiError(message, { code: 'budget.exceeded', where: profile.where(['budget', key]), hint })];
  });
  if (problems.length > 0) throw MindiError.all(problems, 'The medium is over its budget:', 'budget.exceeded');
}

/** The five biggest things in the initrd, as `path 12.3 MiB`. */
function biggest(manifest: Manifest, segments: ReadonlyMap<string, PackedSegment>): string[] {
  const cpio = manifest.segments.filter(({ format }) => format === 'cpio').flatMap(({ entries }) => entries);
  const sized = cpio.flatMap((entry) => {
    if (entry.type === 'file') return [{ path: entry.path, bytes: entry.size }];
    return entry.type === 'segment' ? [{ path: entry.path, bytes: segments.get(entry.segment)?.size ?? 0 }] : [];
  });
  const five = sized.sort((a, b) => b.bytes - a.bytes).slice(0, 5);
  return five.map(({ path, bytes }) => `${path} ${mebibytes(bytes)} MiB`);
}

const mebibytes = (bytes: number) => (bytes / MIB).toFixed(1);
