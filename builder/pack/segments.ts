import { createHash } from 'node:crypto';
import { MindiError, messageOf } from '../../contract/error.ts';
import type { Contents, Entry, Manifest, Segment } from '../../contract/manifest.ts';
import { cacheDirectory, cacheProblem, hashOf } from '../cache.ts';
import { type Item, readEntries, type Source, sizeOf } from './content.ts';
import { writeCpioSegment } from './initrd.ts';
import { squashfsVersion, writeSquashfs } from './squashfs.ts';
import { findStored, forgetUnused, type Stored, store } from './store.ts';

/** Part of every cache key: raise it when the same entries would give other bytes than before. */
const PACK_VERSION = 3;
/** Of every file, seconds since 1970: a time of their own would make segments new that are not. */
const FILE_TIME = 0;
/** What is embedded is read while RAM is scarce: 128 KiB blocks boot in 192 MB. The medium can have bigger ones. */
const EMBEDDED_BLOCK = 128 << 10;
const MEDIUM_BLOCK = 256 << 10;

export interface PackedSegment extends Stored {
  /** Nothing was built: the same inputs were packed before. */
  cached: boolean;
  seconds: number;
}

export interface PackOptions {
  /** Called with the bytes of files that went into the segment so far, and all there are. */
  onProgress?: (segment: string, bytes: number, total: number) => void;
  /** Makes the bytes of the ConfigEntry; `packed` gives a segment as soon as it is packed. */
  config?: (packed: (segment: string) => Promise<PackedSegment>) => Promise<Uint8Array>;
}

/**
 * Turns every segment of the manifest into bytes, side by side, or finds them in the cache by the hash of all that
 * decides them: entries with their hashes, format, level, mindi's pack version and the compressors' versions.
 * The files are mindi's cache: copy them, never write to them.
 * @throws MindiError for anything that cannot be read or written, has changed since the plan, or does not fit.
 */
export async function packSegments(
  manifest: Manifest,
  contents: Contents,
  options: PackOptions = {},
): Promise<Map<string, PackedSegment>> {
  checkEmbedding(manifest);
  const squashfs = manifest.segments.some(({ format }) => format === 'squashfs') ? await squashfsVersion() : '';
  const started = new Map<string, Promise<PackedSegment>>();
  const packing = (segment: Segment): Promise<PackedSegment> => {
    const running = started.get(segment.name) ?? pack(segment);
    started.set(segment.name, running);
    return running;
  };
  const pack = async (segment: Segment): Promise<PackedSegment> => {
    const embedded = new Map<string, PackedSegment>();
    for (const other of embeddedIn(segment, manifest)) embedded.set(other.name, await packing(other));
    const configured = await withConfig(segment, contents, options, (name) => packing(named(manifest, name)));
    const begun = performance.now();
    const key = segmentKey(configured.segment, embedded, squashfs);
    const early = await takeAhead(key);
    const found = early ?? (await findStored(key));
    const stored = found ?? (await build(key, { ...configured, embedded, options }));
    return { ...stored, cached: Boolean(found && !early), seconds: (performance.now() - begun) / 1000 };
  };
  const results = await Promise.allSettled(manifest.segments.map(packing));
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  if (failures.length > 0) throw oneOf(failures);
  await forgetUnused();
  const packed = new Map<string, PackedSegment>();
  for (const segment of manifest.segments) packed.set(segment.name, await packing(segment));
  return packed;
}

/** What packAhead has begun, by key; undefined where it was there already or failed. */
const ahead = new Map<string, Promise<Stored | undefined>>();

/**
 * Begins to pack a squashfs that embeds nothing, before the rest of the manifest is known: packSegments waits for it.
 * When it fails packSegments tries again, and tells why.
 */
export async function packAhead(segment: Segment, contents: Contents, signal: AbortSignal): Promise<void> {
  const embedded: Packed = new Map();
  const version = await squashfsVersion().catch(() => '');
  const key = segmentKey(segment, embedded, version);
  const packing = async () => {
    if (await findStored(key)) return undefined;
    return build(key, { segment, contents, embedded, options: {}, signal }).catch(() => undefined);
  };
  ahead.set(key, packing());
}

function takeAhead(key: string): Promise<Stored | undefined> | undefined {
  const early = ahead.get(key);
  ahead.delete(key);
  return early;
}

/** Several segments may fail for several reasons; the same reason is said once. */
function oneOf(failures: unknown[]): unknown {
  const bug = failures.find((failure) => !(failure instanceof MindiError));
  if (bug) return bug;
  const problems = new Map((failures as MindiError[]).map((problem) => [problem.format(), problem]));
  return MindiError.all([...problems.values()], 'The medium cannot be packed:', 'pack.failed');
}

function embeddedIn(segment: Segment, manifest: Manifest): Segment[] {
  return segment.entries.flatMap((entry) => {
    if (entry.type !== 'segment') return [];
    return [named(manifest, entry.segment)];
  });
}

function named(manifest: Manifest, name: string): Segment {
  const segment = manifest.segments.find((candidate) => candidate.name === name);
  if (!segment) throw broken(`the manifest has no segment ${name}`);
  return segment;
}

/** The segment with its ConfigEntry made a file, if it has one, and where the bytes of all its files are. */
async function withConfig(
  segment: Segment,
  contents: Contents,
  { config }: PackOptions,
  packed: (segment: string) => Promise<PackedSegment>,
): Promise<{ segment: Segment; contents: Contents }> {
  if (!segment.entries.some(({ type }) => type === 'config')) return { segment, contents };
  if (!config) throw broken(`segment ${segment.name} has a config and nothing to make it`);
  const bytes = await config(packed);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const entries = segment.entries.map((entry): Entry => {
    return entry.type === 'config' ? { ...entry, type: 'file', size: bytes.length, sha256, origin: 'mindi' } : entry;
  });
  return { segment: { ...segment, entries }, contents: new Map([...contents, [sha256, { from: 'bytes', bytes }]]) };
}

/** @throws MindiError when a segment is embedded in itself, directly or by way of others. */
function checkEmbedding(manifest: Manifest): void {
  const visit = (segment: Segment, above: readonly Segment[]): void => {
    if (above.includes(segment)) throw broken(`segment ${segment.name} is embedded in itself`);
    for (const other of embeddedIn(segment, manifest)) visit(other, [...above, segment]);
  };
  for (const segment of manifest.segments) visit(segment, []);
}

type Packed = ReadonlyMap<string, Stored>;

function segmentKey(segment: Segment, embedded: Packed, squashfs: string): string {
  const entries = segment.entries.map((entry) => {
    const { path, type, mode, uid, gid } = entry;
    return [path, type, mode, uid, gid, ...substance(entry, embedded)];
  });
  const { format, level } = segment;
  const tool = format === 'squashfs' ? [squashfs, blockSize(segment)] : level === null ? [] : [process.versions.zstd];
  return hashOf([PACK_VERSION, format, level, tool, entries]);
}

/** What an entry is besides its place and its rights. */
function substance(entry: Entry, embedded: Packed): unknown[] {
  switch (entry.type) {
    case 'file':
      return [entry.size, entry.sha256];
    case 'symlink':
      return [entry.target];
    case 'segment':
      return [embedded.get(entry.segment)?.sha256];
    case 'char':
    case 'block':
      return [entry.major, entry.minor];
    default:
      return [];
  }
}

const blockSize = (segment: Segment) => (segment.onMedium ? MEDIUM_BLOCK : EMBEDDED_BLOCK);

interface Building {
  segment: Segment;
  contents: Contents;
  embedded: Packed;
  options: PackOptions;
  signal?: AbortSignal;
}

async function build(key: string, building: Building): Promise<Stored> {
  const { segment, contents, embedded, signal } = building;
  const count = counter(building);
  const read = (entries: readonly Entry[]) => counted(readEntries(entries, contents, embedded), count);
  try {
    return await store(key, async (path) => {
      if (segment.format === 'cpio') {
        const size = (entry: Entry) => sizeOf(entry, embedded);
        return writeCpioSegment(segment.entries, path, { level: segment.level, epoch: FILE_TIME, read, size });
      }
      checkTree(segment);
      await writeSquashfs(read(segment.entries), path, {
        level: segment.level ?? 1,
        blockSize: blockSize(segment),
        epoch: FILE_TIME,
        signal,
      });
    });
  } catch (error) {
    throw asWriteProblem(error);
  }
}

/** mksquashfs makes up the directories that are missing, and owners are not kept. */
function checkTree(segment: Segment): void {
  const known = new Set(['']);
  for (const { path, type, uid, gid } of segment.entries) {
    const parent = path.slice(0, path.lastIndexOf('/'));
    if (!known.has(parent)) throw broken(`segment ${segment.name} has ${path} but not the directory ${parent}`);
    if (uid !== 0 || gid !== 0) throw broken(`segment ${segment.name} has ${path}, which is not root’s`);
    if (type === 'directory') known.add(path);
  }
}

function counter({ segment, embedded, options }: Building): (bytes: number) => void {
  const total = segment.entries.reduce((sum, entry) => sum + sizeOf(entry, embedded), 0);
  let done = 0;
  return (bytes) => {
    done += bytes;
    options.onProgress?.(segment.name, done, total);
  };
}

async function* counted(source: Source, count: (bytes: number) => void): AsyncGenerator<Item> {
  for await (const item of source) {
    yield item;
    count(item.size);
  }
}

/** Where a disk is full, neither mksquashfs nor the system says which. */
function asWriteProblem(error: unknown): unknown {
  const full = /ENOSPC|No space left on device/.test(messageOf(error));
  const placed = Object.assign(new Error('the disk is full', { cause: error }), {
    code: 'ENOSPC',
    path: cacheDirectory(),
  });
  return cacheProblem(full ? placed : error) ?? error;
}

function broken(message: string): MindiError {
  return new MindiError(message, { code: 'pack.broken-manifest', exitCode: 70 });
}
