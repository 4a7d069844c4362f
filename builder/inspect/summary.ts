import { MindiError } from '../../contract/error.ts';
import { PATHS, type RescueConfig } from '../../contract/rescue-config.ts';
import { parseKernelHeader } from '../kernel/header.ts';
import { allEntries, type Image, type ImageEntry } from './image.ts';
import type { InitrdPart } from './initrd.ts';

export interface Summary {
  kind: Image['kind'];
  /** Bytes of the whole image. */
  size: number;
  volume?: string;
  /** What starts it: BIOS, UEFI. */
  firmware?: string[];
  /** The menu: the loader's name of each entry and what people read. */
  menu?: { name: string; label: string }[];
  /** Release of the kernel in it. */
  kernel?: string;
  /** From mindi's own config, if it has one. */
  rescue?: Pick<RescueConfig, 'name' | 'generator' | 'created' | 'machine' | 'runtime'>;
  /** Kernel modules, in all images inside it. */
  modules: number;
  /** The images inside it, and it itself where it is one of them: files, and bytes packed and unpacked. */
  parts: Part[];
}

export interface Part {
  path: string;
  kind: string;
  size: number;
  unpacked: number;
  files: number;
  /** Compression, block size, segments: what the format says of itself. */
  detail: string;
}

const KERNELS = ['mindi/vmlinuz', 'vmlinuz'];
const MENUS = ['isolinux/isolinux.cfg', 'syslinux/syslinux.cfg', 'pxelinux.cfg/default'];
/** Their files are not packed; what they hold is told part by part. */
const CONTAINERS: readonly string[] = ['iso', 'tape', 'disk', 'folder'];

/** What a person wants to know of an image first. Parts that are not there are left out. */
export async function summarize(image: Image, size: number): Promise<Summary> {
  const { volume, firmware } = image.facts as { volume?: string; firmware?: string[] };
  const entries = [...allEntries(image)];
  const [menu, kernel, rescue] = await Promise.all([menuOf(image), kernelOf(image), rescueOf(entries)]);
  return {
    kind: image.kind,
    size,
    ...(volume === undefined ? {} : { volume }),
    ...(firmware ? { firmware } : {}),
    ...(menu ? { menu } : {}),
    ...(kernel ? { kernel } : {}),
    ...(rescue ? { rescue } : {}),
    modules: entries.filter(({ type, path }) => type === 'file' && /\.ko(\.(gz|xz|zst))?$/.test(path)).length,
    parts: [...partsOf(image, '', size)],
  };
}

function* partsOf(image: Image, path: string, size: number): Generator<Part> {
  const files = image.entries.filter(({ type }) => type === 'file');
  const unpacked = files.reduce((sum, entry) => sum + entry.size, 0);
  if (!CONTAINERS.includes(image.kind))
    yield { path, kind: image.kind, size, unpacked, files: files.length, detail: detailOf(image) };
  for (const [inside, inner] of image.inner) {
    const entry = image.entries.find((candidate) => candidate.path === inside) as ImageEntry;
    yield* partsOf(inner, path ? `${path}:${inside}` : inside, entry.size);
  }
}

function detailOf({ kind, facts }: Image): string {
  if (kind === 'squashfs') return `${facts.compression}, ${Number(facts.blockSize) / 1024} KiB blocks`;
  const parts = (facts.parts ?? []) as InitrdPart[];
  const kinds = [...new Set(parts.map(({ compression }) => compression ?? 'stored'))];
  return `${parts.length} ${parts.length === 1 ? 'archive' : 'archives'}: ${kinds.join(', ')}`;
}

async function menuOf(image: Image): Promise<Summary['menu']> {
  const entry = image.entries.find(({ path }) => MENUS.includes(path));
  if (!entry) return undefined;
  const text = Buffer.from(await image.read(entry)).toString();
  return text
    .split(/^\s*LABEL\s+/im)
    .slice(1)
    .map((block) => {
      const name = block.split(/\s/, 1)[0] ?? '';
      const label = /^\s*MENU LABEL\s+(.*)$/im.exec(block)?.[1] ?? name;
      return { name, label: label.replaceAll('^', '').replaceAll(/ {2,}/g, ' ').trim() };
    });
}

async function kernelOf(image: Image): Promise<string | undefined> {
  const entry = image.entries.find(({ path }) => KERNELS.includes(path));
  if (!entry) return undefined;
  try {
    return parseKernelHeader(await image.read(entry), entry.path).release;
  } catch (error) {
    if (!(error instanceof MindiError)) throw error;
    return undefined;
  }
}

async function rescueOf(entries: ReturnType<typeof allEntries> extends Generator<infer E> ? E[] : never) {
  const found = entries.find(({ inside, layer }) => layer.kind === 'initrd' && inside.path === PATHS.config);
  if (!found) return undefined;
  try {
    const config = JSON.parse(Buffer.from(await found.layer.read(found.inside)).toString()) as RescueConfig;
    const { name, generator, created, machine, runtime } = config;
    return { name, generator, created, machine, runtime };
  } catch {
    return undefined;
  }
}
