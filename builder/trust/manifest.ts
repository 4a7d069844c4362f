import { createHash } from 'node:crypto';
import type { Entry, FileEntry, Manifest, Segment } from '../../contract/manifest.ts';
import { type Owners, ownersOf } from './owners.ts';
import { type Package, packageId, packageNamed } from './packages.ts';

/** A file of the medium, as its manifest tells it. */
export interface ManifestFile {
  /** The segment it is packed in. */
  segment: string;
  path: string;
  /** Octal, `0755`. */
  mode: string;
  size: number;
  sha256: string;
  origin: string;
  /** `lvm2 2.03.16-2`, one of `packages`; null: nobody knows. */
  package: string | null;
  /** What of the profile brought it: `tools.sets: lvm`. */
  why: string[];
}

/**
 * The manifest as it is written out, NAME.manifest.json and mindi/manifest.json: what is inside the images. It covers the
 * kernel and every segment but the last, `host`, whose config holds the manifest's own hash.
 */
export interface MediumManifest {
  format: 1;
  name: string;
  generator: string;
  /** ISO 8601. */
  created: string;
  kernel: { release: string; banner: string; size: number; sha256: string; origin: string; package: string | null };
  segments: { name: string; format: string; onMedium?: string; size: number; sha256: string }[];
  packages: ({ id: string } & Package)[];
  files: ManifestFile[];
}

/** A document's bytes, and what identifies them. */
export interface Document {
  bytes: Buffer;
  size: number;
  sha256: string;
}

type Packed = (segment: string) => Promise<{ size: number; sha256: string }>;

/** The last segment: the config needs the manifest, so the manifest cannot know this one. */
const hasConfig = ({ entries }: Segment) => entries.some(({ type }) => type === 'config');

/** Makes the manifest as soon as everything it covers is packed. */
export async function mediumManifest(plan: Manifest, packed: Packed): Promise<MediumManifest> {
  const owners = await ownersOf([plan.kernel.origin, ...filesOf(plan).map(({ entry }) => entry.origin)].filter(isPath));
  const kernel = packageNamed(plan.kernel.origin) ?? owners.get(plan.kernel.origin) ?? null;
  const origins = { owners, kernel, generator: plan.generator };
  const packages = new Map<string, Package>();
  const idOf = (owner: Package | null): string | null => {
    if (owner === null) return null;
    packages.set(packageId(owner), owner);
    return packageId(owner);
  };
  const files = filesOf(plan).map(({ segment, entry }) => ({
    segment,
    path: entry.path,
    mode: entry.mode.toString(8).padStart(4, '0'),
    size: entry.size,
    sha256: entry.sha256,
    origin: entry.origin,
    package: idOf(ownerOf(entry, origins)),
    why: [...new Set(entry.why.map(({ rule }) => rule))],
  }));
  return {
    format: 1,
    name: plan.name,
    generator: plan.generator,
    created: new Date(plan.epoch * 1000).toISOString(),
    kernel: { ...plan.kernel, package: idOf(kernel) },
    segments: await segmentsOf(plan, packed),
    packages: [...packages].map(([id, owner]) => ({ id, ...owner })).sort((a, b) => (a.id < b.id ? -1 : 1)),
    files,
  };
}

function segmentsOf(plan: Manifest, packed: Packed): Promise<MediumManifest['segments']> {
  const covered = plan.segments.filter((segment) => !hasConfig(segment));
  return Promise.all(
    covered.map(async ({ name, format, onMedium }) => {
      const { size, sha256 } = await packed(name);
      return { name, format, ...(onMedium ? { onMedium } : {}), size, sha256 };
    }),
  );
}

function filesOf(plan: Manifest): { segment: string; entry: FileEntry }[] {
  const isFile = (entry: Entry): entry is FileEntry => entry.type === 'file';
  return plan.segments.flatMap(({ name, entries }) =>
    entries.filter(isFile).map((entry) => ({ segment: name, entry })),
  );
}

const isPath = (origin: string) => origin.startsWith('/');

interface Origins {
  owners: Owners;
  kernel: Package | null;
  /** `mindi 4.0.0` */
  generator: string;
}

/** See FileEntry.origin: a path of this machine, `package: path in it`, or mindi's own. */
function ownerOf({ origin, why }: FileEntry, { owners, kernel, generator }: Origins): Package | null {
  if (isPath(origin)) return owners.get(origin) ?? null;
  const [brought = ''] = origin.split(': ', 1);
  if (brought === 'mindi') return named('generic', generator);
  if (/^kernel \S+$/.test(brought)) return kernel;
  return why.some(({ rule }) => rule.startsWith('runtime:')) ? named('npm', brought) : packageNamed(brought);
}

/** `NAME VERSION` */
function named(type: Package['type'], text: string): Package {
  const [name = '', version = ''] = text.split(' ');
  return { type, name, version };
}

/** One file a line, so that two of them can be compared by diff(1). */
export function manifestDocument(manifest: MediumManifest): Document {
  const { segments, packages, files, ...head } = manifest;
  const lists = Object.entries({ segments, packages, files }).map(([key, items]) => {
    return `  ${JSON.stringify(key)}: [\n${items.map((item) => `    ${JSON.stringify(item)}`).join(',\n')}\n  ]`;
  });
  const fields = Object.entries(head).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  return document(`{\n${[...fields, ...lists].join(',\n')}\n}\n`);
}

export function document(text: string): Document {
  const bytes = Buffer.from(text);
  return { bytes, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}
