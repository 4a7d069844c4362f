import { join } from 'node:path';
import fs from 'fs-extra';
import { makeIso, prepareIso } from '../boot/iso.ts';
import { type MediumParts, type MediumWriter, type Source, volumeId, type Written } from '../boot/medium.ts';
import { findMemtest } from '../boot/memtest.ts';
import { menuModel } from '../boot/menu.ts';
import { makeNetboot } from '../boot/netboot.ts';
import { makeObdr } from '../boot/obdr.ts';
import { makeUsb } from '../boot/usb.ts';
import { MindiError } from '../contract/error.ts';
import { initrdOf } from '../contract/manifest.ts';
import { SUMS } from '../contract/sums.ts';
import { hashFile, hashOf } from './cache.ts';
import { concatenate } from './pack/initrd.ts';
import type { PackedSegment } from './pack/segments.ts';
import type { Plan } from './plan.ts';
import type { Profile } from './profile/load.ts';
import type { Medium } from './profile/schema.ts';
import type { Output } from './trust/documents.ts';

/** One back end a medium: what it writes, named after the profile. */
interface Writer {
  file: (name: string) => string;
  write: (parts: MediumParts, profile: Profile) => ReturnType<MediumWriter>;
  /** Makes what can be made before the segments are packed. */
  prepare?: (signed: MediumParts['signed']) => Promise<void>;
  /** The medium it is made from, which is then written, too. */
  from?: Medium;
}
const WRITERS: Record<Medium, Writer> = {
  iso: { file: (name) => `${name}.iso`, write: makeIso, prepare: prepareIso },
  usb: { file: (name) => `${name}.img`, write: (parts, { usb }) => makeUsb(parts, usb) },
  obdr: { file: (name) => `${name}.tap`, write: makeObdr, from: 'iso' },
  netboot: { file: () => 'netboot', write: makeNetboot },
};

/** The media wanted, each once and after the one it is made from. */
function inOrder(media: readonly Medium[]): Medium[] {
  return [...new Set(media.flatMap((medium) => [WRITERS[medium].from ?? medium, medium]))];
}

/** What the media of a profile are written from. */
export interface MediaInputs {
  planned: Plan;
  segments: ReadonlyMap<string, PackedSegment>;
  profile: Profile;
  /** The kernel's image. */
  kernel: string;
  /** On the media besides kernel, initrd, second stage and loaders. */
  files: Readonly<Record<string, Source>>;
  secret: boolean;
  /** As MediumParts.signed. */
  loaders: MediumParts['signed'];
}

/** Makes ahead what only the loaders decide. What goes wrong is told when the media are written. */
export async function prepareMedia(media: readonly Medium[], loaders: MediaInputs['loaders']): Promise<void> {
  await Promise.allSettled(inOrder(media).map((medium) => WRITERS[medium].prepare?.(loaders)));
}

/** Writes every medium of the profile into `out`, which is there. */
export async function writeMedia(inputs: MediaInputs, out: string): Promise<Written[]> {
  const { planned, segments, profile, kernel, files, secret, loaders } = inputs;
  const { manifest, config } = planned;
  const work = await fs.mkdtemp(join(out, '.mindi-'));
  try {
    const stage2 = manifest.segments.find(({ onMedium }) => onMedium) && segments.get('stage2');
    const parts: Omit<MediumParts, 'out' | 'id' | 'initrd'> = {
      volumeId: volumeId(manifest.name),
      epoch: manifest.epoch,
      kernel,
      stage2: stage2 ?? null,
      extraFiles: files,
      secret,
      url: profile.netboot.url,
      menu: menuModel({
        name: manifest.name,
        generator: manifest.generator,
        machine: config.machine,
        epoch: manifest.epoch,
        source: profile.restore.source,
        memtest: findMemtest(),
        boot: profile.boot,
      }),
      signed: loaders,
    };
    const written = new Map<Medium, Written>();
    for (const medium of inOrder(profile.media as Medium[])) {
      const { file, write, from } = WRITERS[medium];
      const { initrd, identity } = await makeInitrd(inputs, medium, work);
      const identities = {
        [kernel]: manifest.kernel.sha256,
        [initrd]: identity,
        ...(stage2 ? { [stage2.path]: stage2.sha256 } : {}),
      };
      const id = hashOf([manifest.kernel.sha256, identity, stage2?.sha256]);
      const whole = { ...parts, id, initrd, identities, out: join(out, file(manifest.name)) };
      const source = from && written.get(from);
      const sha256 = await write({ ...whole, ...(source ? { from: source } : {}) }, profile);
      written.set(medium, { path: whole.out, sha256 });
    }
    return [...written.values()];
  } finally {
    await fs.remove(work);
  }
}

/** A medium's initrd in the directory `work`, and a hash of what decides its bytes. Media with the same parts share one. */
async function makeInitrd({ planned, segments }: MediaInputs, medium: Medium, work: string) {
  const cpios = initrdOf(planned.manifest, medium).map(({ name }) => segments.get(name));
  const identity = hashOf(cpios.map((segment) => segment?.sha256));
  const initrd = join(work, `${identity}.img`);
  const paths = cpios.map((segment) => segment?.path ?? '');
  if (!(await fs.pathExists(initrd))) await concatenate(paths, initrd);
  return { initrd, identity };
}

/** An image's size and hash; of a folder all its bytes and the hash of the list that has the hash of each. */
export async function hashMedium({ path, sha256 }: Written): Promise<Output> {
  const stat = await fs.stat(path);
  if (sha256 !== undefined) return { path, size: stat.size, sha256 };
  if (!stat.isDirectory()) return { path, ...(await hashFile(path)) };
  const names = await fs.readdir(path, { recursive: true, encoding: 'utf8' });
  const stats = await Promise.all(names.map((name) => fs.stat(join(path, name))));
  const size = stats.reduce((sum, one) => sum + (one.isFile() ? one.size : 0), 0);
  const list = join(path, SUMS.list);
  return { path, size, sha256: (await hashFile(list)).sha256, list };
}

/** @throws MindiError `output.unwritable` */
export async function makeDirectory(out: string): Promise<void> {
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
