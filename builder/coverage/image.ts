import { join } from 'node:path';
import fs from 'fs-extra';
import {
  globMatch,
  isGlob,
  METADATA_FILES,
  type MetadataFile,
  ModuleTree,
  modinfoValues,
  moduleName,
  readModinfo,
} from 'node-kmod-deps';
import { MindiError } from '../../contract/error.ts';
import { kmodErrors } from '../drivers/tree.ts';
import { allEntries, type Image, type ImageEntry } from '../inspect/image.ts';
import type { Medium } from './answer.ts';
import type { KernelMedium } from './matrix.ts';
import { firmwareState } from './media.ts';
import { firmwareFile, moduleDirectory, type SizedFile, summed } from './sizes.ts';

type Found = ImageEntry & { layer: Image; inside: ImageEntry };

const MODULES = /(?:^|[/:])(?:usr\/)?lib\/modules\/([^/]+)\/(.+)$/;
const FIRMWARE = /(?:^|[/:])(?:usr\/)?lib\/firmware\/(.+)$/;
const MODULE_FILE = /\.ko(\.(gz|xz|zst))?$/;

/**
 * What a finished image holds: the modules that are in it and lead to each other, its firmware, and what its kernel has
 * built in. What else the kernel could have had, an image does not tell.
 * @param scratch a directory for what must be unpacked to be read
 * @throws MindiError `coverage.no-modules`, `kernel.*` for damaged metadata
 */
export async function imageMedium(image: Image, name: string, scratch: string): Promise<KernelMedium> {
  const entries: Found[] = [...allEntries(image)];
  const release = releaseOf(entries);
  if (release === undefined) {
    throw new MindiError('this image holds no kernel modules', {
      code: 'coverage.no-modules',
      where: name,
      hint: 'Name an ISO, a USB image or an initrd that mindi built.',
    });
  }
  const own = entries.flatMap((entry) => {
    const [, of, path = ''] = MODULES.exec(entry.path) ?? [];
    return of === release && entry.type === 'file' ? [{ entry, path }] : [];
  });
  const texts = await metadataTexts(own);
  const tree = await kmodErrors(() => ModuleTree.fromTexts(texts));
  const modules = new Map(own.filter(({ path }) => MODULE_FILE.test(path)).map((one) => [moduleName(one.path), one]));
  const firmware = new Map(entries.flatMap(firmwareEntry));
  const files: SizedFile[] = [
    ...[...modules.values()].map(({ entry, path }): SizedFile => {
      const directory = moduleDirectory(path);
      return { kind: 'modules', directory, set: placeOf(entry.path), bytes: entry.size };
    }),
    ...[...firmware].map(([file, size]) => firmwareFile(file, size)),
  ];
  return {
    name: 'image',
    title: name,
    architecture: null,
    release,
    origin: name,
    derived: false,
    uncovered: 'fail',
    unavailable: 'fail',
    problem: null,
    sizes: summed(files),
    medium: { tree, partial: true, ...answers(tree, modules, firmware, scratch) },
  };
}

function answers(
  tree: ModuleTree,
  modules: ReadonlyMap<string, { entry: Found }>,
  firmware: ReadonlyMap<string, number>,
  scratch: string,
): Omit<Medium, 'tree' | 'partial'> {
  const lacks = (module: string) =>
    [module, ...(tree.has(module) ? tree.hard(module) : [])].filter((each) => !modules.has(each));
  const isThere = (file: string) =>
    isGlob(file) ? [...firmware.keys()].some((name) => globMatch(file, name)) : firmware.has(file);
  return {
    onMedia: (module) => lacks(module).length === 0,
    absence: async (module) => ({
      why: `its modules.dep names ${lacks(module).join(', ')}, which is not in it`,
      bring: ['build the image again'],
    }),
    firmware: async (module) => {
      const found = modules.get(module)?.entry;
      const builtin = tree.builtinModinfo.filter(({ name, key }) => name === module && key === 'firmware');
      const declared = found ? await declaredIn(found, scratch) : builtin.map(({ value }) => value);
      return firmwareState(declared, isThere);
    },
  };
}

/** Of several kernels the one with the most modules. */
function releaseOf(entries: readonly Found[]): string | undefined {
  const releases = entries.flatMap(({ path, type }) =>
    type === 'file' && MODULE_FILE.test(path) ? (MODULES.exec(path)?.[1] ?? []) : [],
  );
  const counted = [...Map.groupBy(releases, (release) => release)].sort(([, a], [, b]) => b.length - a.length);
  return counted[0]?.[0];
}

/** The initrd has the metadata of its own modules, the second stage those of all: the bigger file is the better one. */
async function metadataTexts(
  own: readonly { entry: Found; path: string }[],
): Promise<Partial<Record<MetadataFile, string>>> {
  const texts: Partial<Record<MetadataFile, string>> = {};
  for (const file of METADATA_FILES) {
    const [biggest] = own.filter(({ path }) => path === file).sort((a, b) => b.entry.size - a.entry.size);
    if (biggest) texts[file] = Buffer.from(await biggest.entry.layer.read(biggest.entry.inside)).toString('utf8');
  }
  return texts;
}

function firmwareEntry({ path, type, size }: Found): [string, number][] {
  const file = FIRMWARE.exec(path)?.[1];
  const isFile = type === 'file' || type === 'symlink';
  return file !== undefined && isFile ? [[file.replace(/\.(xz|zst)$/, ''), size]] : [];
}

/** The image inside the image where a file lies. */
const placeOf = (path: string): string => (path.includes('squashfs') ? 'second stage' : 'initrd');

async function declaredIn({ layer, inside, path }: Found, scratch: string): Promise<string[]> {
  const file = join(scratch, 'modules', path.replaceAll(/[/:]/g, '-'));
  await fs.outputFile(file, await layer.read(inside));
  return modinfoValues(await kmodErrors(() => readModinfo(file)), 'firmware');
}
