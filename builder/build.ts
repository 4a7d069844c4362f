import type { Source } from '../boot/medium.ts';
import { MindiError } from '../contract/error.ts';
import type { RescueConfig, SecondStage } from '../contract/rescue-config.ts';
import type { PublicKey } from '../contract/signature.ts';
import { checkBudget } from './budget.ts';
import { gather } from './gather.ts';
import { hashMedium, makeDirectory, prepareMedia, writeMedia } from './media.ts';
import { type PackedSegment, packAhead, packSegments } from './pack/segments.ts';
import { type Plan, plan, runtimeImage, STAGE2_ON_MEDIUM } from './plan.ts';
import type { Profile } from './profile/load.ts';
import { refuseSecrets } from './secrets/scan.ts';
import { secureLoaders } from './secure-boot.ts';
import { mediumFiles, type Output, type Signer, writeDocuments } from './trust/documents.ts';
import { type Document, type MediumManifest, manifestDocument, mediumManifest } from './trust/manifest.ts';
import { type SigningKey, sign, trustedKey } from './trust/sign.ts';

/** The steps of a build in their order, as people see them. */
export const STEPS = ['gather', 'plan', 'pack', 'write', 'hash'] as const;
export type StepName = (typeof STEPS)[number];

export interface BuildListener {
  /** A step begins. */
  step?: (name: StepName) => void;
  /** Within a step: what is being done, how much of it, in bytes. */
  progress?: (what: string, done: number, total: number) => void;
  /** Something the person should know though the build goes on. */
  note?: (text: string) => void;
}

export interface BuildResult {
  name: string;
  kernel: string;
  media: Output[];
  /** Beside the images: manifest, SBOM, sums, and their signatures. */
  documents: Output[];
  /** Where the bytes are: size on the medium; `files` before compression. */
  parts: { name: string; size: number; files: number; cached: boolean }[];
  /** Where the time went, seconds. */
  steps: { name: StepName; seconds: number }[];
  notes: string[];
}

export interface BuildOptions {
  /** Signs manifest and sums. */
  sign?: SigningKey;
  /** More files on the media, by path. */
  files?: Readonly<Record<string, Source>>;
}

/**
 * Builds every medium a profile names, directly in `out` (created with its parents), and beside them what they can be
 * checked by. Each is written beside its place and renamed: a failed build leaves old images whole.
 */
export async function build(
  profile: Profile,
  out: string,
  listener: BuildListener = {},
  options: BuildOptions = {},
): Promise<BuildResult> {
  const clock = stopwatch(listener);
  const notes: string[] = [];
  const note = (text: string) => {
    notes.push(text);
    listener.note?.(text);
  };
  const trusted = await keyToTrust(profile, options);
  const inputs = await clock('gather', () => gathered(profile, note));
  const where = profile.where(['boot', 'secureBoot']);
  const loaders = await secureLoaders(profile.boot.secureBoot, inputs.kernel, { where, note });
  const secret = inputs.secrets.allowed.length > 0;
  const planned = await clock('plan', async () => plan(inputs));
  return await ownFiles(secret, async () => {
    const prepared = prepareMedia(profile.media, loaders);
    const { segments, manifest } = await clock('pack', () => pack(planned, trusted?.line ?? null, listener));
    await prepared;
    checkBudget(planned.manifest, segments, profile);
    const written = await clock('write', async () => {
      await makeDirectory(out);
      const signed = signWith(options.sign, trusted?.key ?? null);
      const signature = await signed({ name: 'manifest.json', bytes: manifest.document.bytes });
      const files = { ...mediumFiles(manifest.document, signature, profile.initrd.fold), ...options.files };
      const media = await writeMedia(
        { planned, segments, profile, kernel: inputs.kernel.image, loaders, files, secret },
        out,
      );
      return { media, signature, signed };
    });
    const { media, documents } = await clock('hash', async () => {
      const hashed = await Promise.all(written.media.map(hashMedium));
      return { media: hashed, documents: await writeDocuments(manifest, hashed, written, out) };
    });
    return {
      name: profile.name,
      kernel: inputs.kernel.release,
      media,
      documents,
      parts: parts(planned, segments),
      steps: clock.steps,
      notes,
    };
  });
}

/** Gathers, and packs the runtime meanwhile. @throws MindiError also for secrets that must not be on the medium */
async function gathered(profile: Profile, note: (text: string) => void) {
  const packing = new AbortController();
  try {
    const inputs = await gather(profile, note, (runtime) => {
      packAhead(runtimeImage(runtime), runtime.contents, packing.signal);
    });
    refuseSecrets(inputs.secrets, profile);
    return inputs;
  } catch (error) {
    packing.abort();
    throw error;
  }
}

/** @throws MindiError `trust.unsigned`: such a medium would trust itself at no boot. */
async function keyToTrust(profile: Profile, options: BuildOptions) {
  const where = profile.where(['trust', 'publicKey']);
  const trusted = await trustedKey(profile.trust.publicKey, where);
  if (!trusted || options.sign) return trusted;
  throw new MindiError('the profile has a public key, so the medium must be signed', {
    code: 'trust.unsigned',
    where,
    hint: 'Build with --sign KEY, the secret half of that key, or set trust.publicKey to null.',
  });
}

/** While there are secrets in what is written, the cache's files, images and documents are for their owner only. */
async function ownFiles<T>(secret: boolean, work: () => Promise<T>): Promise<T> {
  if (!secret) return work();
  const before = process.umask(0o077);
  try {
    return await work();
  } finally {
    process.umask(before);
  }
}

type Segments = Map<string, PackedSegment>;

/** The segments, and the manifest, which is made when all but the last are packed and whose hash goes into that. */
async function pack({ manifest: planned, contents, config }: Plan, publicKey: string | null, listener: BuildListener) {
  let made: { content: MediumManifest; document: Document } | undefined;
  const segments = await packSegments(planned, contents, {
    onProgress: listener.progress,
    config: async (packed) => {
      const content = await mediumManifest(planned, packed);
      const document = manifestDocument(content);
      made = { content, document };
      const segment = planned.segments.find(({ name }) => name === 'stage2');
      const stage2: SecondStage | null = segment
        ? secondStage(await packed('stage2'), Boolean(segment.onMedium))
        : null;
      const { size, sha256 } = document;
      const whole: RescueConfig = { ...config, stage2, manifest: { size, sha256, publicKey } };
      return Buffer.from(`${JSON.stringify(whole, null, 1)}\n`);
    },
  });
  if (!made) throw new MindiError('no segment has a config', { code: 'pack.broken-manifest', exitCode: 70 });
  return { segments, manifest: made };
}

/** Signs a file's bytes, or gives no signature when nothing is to be signed. */
function signWith(key: SigningKey | undefined, publicKey: PublicKey | null): Signer {
  return async (file) => (key ? sign(file, key, publicKey) : null);
}

function secondStage({ size, sha256 }: PackedSegment, onMedium: boolean): SecondStage {
  return { where: onMedium ? 'medium' : 'initrd', path: STAGE2_ON_MEDIUM, size, sha256 };
}

function parts({ manifest }: Plan, segments: Segments): BuildResult['parts'] {
  const embedded = new Set(
    manifest.segments.flatMap(({ entries }) => entries.flatMap((e) => (e.type === 'segment' ? [e.segment] : []))),
  );
  const packed = manifest.segments
    .filter(({ entries }) => !entries.some(({ type }) => type === 'segment'))
    .map(({ name, entries }) => ({
      name: embedded.has(name) ? name.replace('-image', '') : name,
      size: segments.get(name)?.size ?? 0,
      files: entries.reduce((sum, entry) => sum + (entry.type === 'file' ? entry.size : 0), 0),
      cached: segments.get(name)?.cached ?? false,
    }));
  return [{ name: 'kernel', size: manifest.kernel.size, files: manifest.kernel.size, cached: true }, ...packed];
}

function stopwatch(listener: BuildListener) {
  const steps: BuildResult['steps'] = [];
  const clock = async <T>(name: StepName, work: () => Promise<T>): Promise<T> => {
    listener.step?.(name);
    const started = performance.now();
    const result = await work();
    steps.push({ name, seconds: (performance.now() - started) / 1000 });
    return result;
  };
  return Object.assign(clock, { steps });
}
