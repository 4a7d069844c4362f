import { join } from 'node:path';
import fs from 'fs-extra';
import { makeIso } from '../boot/iso.ts';
import { type MediumParts, volumeId } from '../boot/medium.ts';
import { menuModel } from '../boot/menu.ts';
import { makeUsb } from '../boot/usb.ts';
import { MindiError } from '../contract/error.ts';
import type { RescueConfig, SecondStage } from '../contract/rescue-config.ts';
import { checkBudget } from './budget.ts';
import { hashFile, hashOf } from './cache.ts';
import { gather } from './gather.ts';
import { concatenate } from './pack/initrd.ts';
import { type PackedSegment, packSegments } from './pack/segments.ts';
import { type Plan, plan, STAGE2_ON_MEDIUM } from './plan.ts';
import type { Profile } from './profile/load.ts';
import type { Medium } from './profile/schema.ts';

/** One back end a medium: what it writes, named after the profile. */
interface Writer {
  file: (name: string) => string;
  write: (parts: MediumParts, profile: Profile) => Promise<void>;
}
const WRITERS: Record<Medium, Writer> = {
  iso: { file: (name) => `${name}.iso`, write: makeIso },
  usb: { file: (name) => `${name}.img`, write: (parts, { usb }) => makeUsb(parts, usb) },
};

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
  media: { path: string; size: number; sha256: string }[];
  /** Where the bytes are: size on the medium; `files` before compression. */
  parts: { name: string; size: number; files: number; cached: boolean }[];
  /** Where the time went, seconds. */
  steps: { name: StepName; seconds: number }[];
  notes: string[];
}

/**
 * Builds every medium a profile names, directly in `out` (created with its parents). Each image is written beside its
 * place and renamed: a failed build leaves old images whole.
 */
export async function build(profile: Profile, out: string, listener: BuildListener = {}): Promise<BuildResult> {
  const clock = stopwatch(listener);
  const notes: string[] = [];
  const note = (text: string) => {
    notes.push(text);
    listener.note?.(text);
  };
  const inputs = await clock('gather', () => gather(profile, note));
  const planned = await clock('plan', async () => plan(inputs));
  const segments = await clock('pack', () => pack(planned, listener));
  checkBudget(planned.manifest, segments, profile);
  const paths = await clock('write', () => writeMedia(planned, segments, profile, inputs.kernel.image, out));
  const media = await clock('hash', () =>
    Promise.all(paths.map(async (path) => ({ path, ...(await hashFile(path)) }))),
  );
  return {
    name: profile.name,
    kernel: inputs.kernel.release,
    media,
    parts: parts(planned, segments),
    steps: clock.steps,
    notes,
  };
}

type Segments = Map<string, PackedSegment>;

function pack({ manifest, contents, config }: Plan, listener: BuildListener): Promise<Segments> {
  return packSegments(manifest, contents, {
    onProgress: listener.progress,
    config: async (packed) => {
      const segment = manifest.segments.find(({ name }) => name === 'stage2');
      const stage2: SecondStage | null = segment
        ? secondStage(await packed('stage2'), Boolean(segment.onMedium))
        : null;
      const whole: RescueConfig = { ...config, stage2 };
      return Buffer.from(`${JSON.stringify(whole, null, 1)}\n`);
    },
  });
}

function secondStage({ size, sha256 }: PackedSegment, onMedium: boolean): SecondStage {
  return { where: onMedium ? 'medium' : 'initrd', path: STAGE2_ON_MEDIUM, size, sha256 };
}

async function writeMedia(
  planned: Plan,
  segments: Segments,
  profile: Profile,
  kernel: string,
  out: string,
): Promise<string[]> {
  await makeDirectory(out);
  const { manifest, config } = planned;
  const work = await fs.mkdtemp(join(out, '.mindi-'));
  try {
    const initrd = join(work, 'initrd.img');
    const cpios = manifest.segments
      .filter(({ format }) => format === 'cpio')
      .map(({ name }) => segments.get(name)?.path ?? '');
    await concatenate(cpios, initrd);
    const stage2 = manifest.segments.find(({ onMedium }) => onMedium) && segments.get('stage2');
    const id = hashOf([manifest.kernel.sha256, [...segments.values()].map(({ sha256 }) => sha256)]);
    const parts: Omit<MediumParts, 'out'> = {
      volumeId: volumeId(manifest.name),
      epoch: manifest.epoch,
      id,
      kernel,
      initrd,
      stage2: stage2 ?? null,
      extraFiles: {},
      menu: menuModel({
        name: manifest.name,
        generator: manifest.generator,
        machine: config.machine,
        epoch: manifest.epoch,
        boot: profile.boot,
      }),
    };
    const paths: string[] = [];
    for (const medium of profile.media as Medium[]) {
      const path = join(out, WRITERS[medium].file(manifest.name));
      await WRITERS[medium].write({ ...parts, out: path }, profile);
      paths.push(path);
    }
    return paths;
  } finally {
    await fs.remove(work);
  }
}

async function makeDirectory(out: string): Promise<void> {
  try {
    await fs.ensureDir(out);
    await fs.access(out, fs.constants.W_OK);
  } catch (cause) {
    throw new MindiError(`cannot write into ${out}: ${(cause as NodeJS.ErrnoException).code}`, {
      code: 'output.unwritable',
      where: out,
      hint: 'Name another directory with --out.',
      cause,
    });
  }
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
