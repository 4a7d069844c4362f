import { type ModuleTree, moduleName } from 'node-kmod-deps';
import { MindiError } from '../../contract/error.ts';
import { importersOf, moduleFacts } from '../drivers/facts.ts';
import type { FirmwareFate } from '../drivers/firmware.ts';
import { firmwareOf, selectionOf } from '../drivers/pieces.ts';
import type { Selection } from '../drivers/selection.ts';
import { parseSelector, selected } from '../drivers/selector.ts';
import { openKernelTree } from '../drivers/tree.ts';
import { explainModule } from '../explain/module.ts';
import type { Profile } from '../profile/load.ts';
import { FileHashes } from '../tools/hashes.ts';
import type { FirmwareState, Medium } from './answer.ts';
import type { KernelMetadata } from './kernels.ts';
import type { KernelMedium } from './matrix.ts';
import type { Kernel } from './schema.ts';
import { sizesOf } from './sizes.ts';

export type MediaProfile = Pick<Profile, 'drivers' | 'where' | 'initrd'>;

/**
 * What a profile's media would hold with each kernel, by its metadata alone.
 * @param found metadata of the kernels, or why there are none
 */
export async function profileMedia(
  profile: MediaProfile,
  kernels: readonly Kernel[],
  found: readonly (KernelMetadata | MindiError)[],
): Promise<KernelMedium[]> {
  const hashes = new FileHashes();
  const media: KernelMedium[] = [];
  for (const [i, kernel] of kernels.entries()) {
    const metadata = found[i] as KernelMetadata | MindiError;
    media.push(
      await (metadata instanceof MindiError ? lost(kernel, metadata) : medium(profile, kernel, metadata, hashes)),
    );
  }
  await hashes.save();
  return media;
}

async function medium(
  profile: MediaProfile,
  kernel: Kernel,
  metadata: KernelMetadata,
  hashes: FileHashes,
): Promise<KernelMedium> {
  const { release, origin, modulesDir } = metadata;
  try {
    const tree = await openKernelTree(modulesDir);
    const fitting = kernel.config === undefined ? profile : await withoutUnknown(profile, tree);
    const selection = await selectionOf(fitting, modulesDir);
    const firmware = await fates(fitting, selection, release, hashes);
    const sizes = kernel.config === undefined ? await sizesOf(tree, selection, firmware) : null;
    const inputs = { profile: fitting, release, tree, selection };
    return {
      ...base(kernel),
      release,
      origin,
      sizes,
      problem: null,
      medium: { tree, partial: false, ...answers(inputs, firmware) },
    };
  } catch (error) {
    if (!(error instanceof MindiError)) throw error;
    return { ...lost(kernel, error), release, origin };
  }
}

const base = ({ name, title = name, architecture, config, package: from, uncovered, unavailable }: Kernel) => ({
  name,
  title,
  architecture: architecture ?? (from === undefined ? null : 'amd64'),
  derived: config !== undefined,
  uncovered: uncovered ?? ('fail' as const),
  unavailable: unavailable ?? ('fail' as const),
});

function lost(kernel: Kernel, error: MindiError): KernelMedium {
  const problem = error.format().replaceAll(/\s*\n\s*(hint: )?/g, '; ');
  return { ...base(kernel), release: null, origin: null, sizes: null, problem, medium: null };
}

interface Inputs {
  profile: MediaProfile;
  release: string;
  tree: ModuleTree;
  selection: Selection;
}

function answers(inputs: Inputs, fates: readonly FirmwareFate[]): Omit<Medium, 'tree' | 'partial'> {
  const { tree, selection } = inputs;
  const byFile = new Map(fates.map((fate) => [fate.file, fate.status]));
  return {
    onMedia: (module) => selection.modules.has(moduleName(module)),
    absence: async (module) => {
      const [finding] = await explainModule(module, inputs);
      return { why: finding?.notes.join('; ') ?? '', bring: shortest(finding?.bring ?? []) };
    },
    firmware: async (module) => {
      const declared = await declaredBy(module, tree);
      return firmwareState(declared, (file) => byFile.get(file) === 'present');
    },
  };
}

/** Of many ways to bring a module the sets it belongs to; those that hold everything are no advice. */
function shortest(bring: readonly string[]): string[] {
  const sets = bring.filter((line) => line.includes('sets:') && !/\b(all|always)\b/.test(line));
  return sets.length > 0 ? sets : [...bring];
}

/** Files a driver declares, loadable or built in. */
async function declaredBy(module: string, tree: ModuleTree): Promise<string[]> {
  const loadable = (await moduleFacts(tree, tree.has(module) ? [module] : [])).get(module)?.firmware ?? [];
  const builtin = tree.builtinModinfo.filter(({ name, key }) => name === module && key === 'firmware');
  return [...loadable, ...builtin.map(({ value }) => value)];
}

export function firmwareState(declared: readonly string[], isThere: (file: string) => boolean): FirmwareState | null {
  if (declared.length === 0) return null;
  return { present: declared.filter(isThere), missing: declared.filter((file) => !isThere(file)) };
}

async function fates({ drivers, where }: MediaProfile, selection: Selection, release: string, hashes: FileHashes) {
  const choice = { firmware: drivers.firmware, microcode: 'none' as const };
  return (await firmwareOf(choice, selection, { release, hashes, where, say: undefined })).fates;
}

/** A configuration tells only of the table's drivers: what else the profile includes is not known, and no mistake. */
async function withoutUnknown(profile: MediaProfile, tree: ModuleTree): Promise<MediaProfile> {
  const importers = importersOf(tree);
  const known: string[] = [];
  for (const line of profile.drivers.include) {
    if ((await selected(parseSelector(line), tree, importers)).length > 0) known.push(line);
  }
  return { ...profile, drivers: { ...profile.drivers, include: known, migrateTo: [] } };
}
