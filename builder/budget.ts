import { MindiError } from '../contract/error.ts';
import { type Entry, initrdOf, type Manifest } from '../contract/manifest.ts';
import type { PackedSegment } from './pack/segments.ts';
import type { Profile } from './profile/load.ts';

const MIB = 1024 * 1024;

/**
 * RAM a medium needs, in bytes, beside its initrd: the kernel, Node or Bun running the init, and the page cache of the
 * runtime's squashfs. An estimate: it puts `standalone` below the 256 MiB in which it is known to boot.
 */
const RUNNING = 116 * MIB;

type Packed = ReadonlyMap<string, PackedSegment>;

/** Bytes of all files the kernel unpacks from a medium's cpio segments into RAM. */
function unpacked(manifest: Manifest, segments: Packed, medium: string): number {
  const stored = (entry: Entry): number => {
    if (entry.type === 'file') return entry.size;
    return entry.type === 'segment' ? (segments.get(entry.segment)?.size ?? 0) : 0;
  };
  const entries = initrdOf(manifest, medium).flatMap((segment) => segment.entries);
  return entries.reduce((sum, entry) => sum + stored(entry), 0);
}

/** Bytes of a medium's initrd: its cpio segments one after the other. */
function initrdSize(manifest: Manifest, segments: Packed, medium: string): number {
  return initrdOf(manifest, medium).reduce((sum, { name }) => sum + (segments.get(name)?.size ?? 0), 0);
}

/**
 * Bytes of RAM the medium needs to reach its ready line: while it boots, the packed and the unpacked initrd are both
 * there. What is started from the network keeps its second stage in RAM.
 */
function ramNeeded(manifest: Manifest, segments: Packed, medium: string): number {
  const fetched = medium === 'netboot' && manifest.segments.some(({ onMedium }) => onMedium);
  const stage2 = fetched ? (segments.get('stage2')?.size ?? 0) : 0;
  return RUNNING + unpacked(manifest, segments, medium) + initrdSize(manifest, segments, medium) + stage2;
}

/**
 * @throws MindiError `budget.exceeded` when the initrd or the RAM it needs is over the profile's budget, naming the
 *   biggest items, all at once.
 */
export function checkBudget(manifest: Manifest, segments: Packed, profile: Profile): void {
  const largest = (size: typeof initrdSize) =>
    Math.max(...profile.media.map((medium) => size(manifest, segments, medium)));
  const checks = [
    { key: 'initrd', what: 'the initrd has', bytes: largest(initrdSize) },
    { key: 'ram', what: 'the medium needs about', bytes: largest(ramNeeded) },
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
function biggest(manifest: Manifest, segments: Packed): string[] {
  const cpio = manifest.segments.filter(({ format }) => format === 'cpio').flatMap(({ entries }) => entries);
  const sized = cpio.flatMap((entry) => {
    if (entry.type === 'file') return [{ path: entry.path, bytes: entry.size }];
    return entry.type === 'segment' ? [{ path: entry.path, bytes: segments.get(entry.segment)?.size ?? 0 }] : [];
  });
  const five = sized.sort((a, b) => b.bytes - a.bytes).slice(0, 5);
  return five.map(({ path, bytes }) => `${path} ${mebibytes(bytes)} MiB`);
}

const mebibytes = (bytes: number) => (bytes / MIB).toFixed(1);
