import type { Entry } from '../../contract/manifest.ts';
import type { KernelTree } from '../kernel/source.ts';
import { joined, madeFile, type Piece } from '../piece.ts';
import type { PlanInputs } from '../plan.ts';
import type { Profile } from '../profile/load.ts';
import type { FileHashes } from '../tools/hashes.ts';
import { firmwarePiece } from './firmware.ts';
import type { DriverSelection } from './resolve.ts';
import { selectDrivers } from './selection.ts';

/** What mindi's init needs, whatever the profile chooses. */
export const OWN_SET = 'medium';

/** What a profile's `drivers:` brings of a kernel: modules, their metadata and firmware, by stage. */
export async function driverPieces(
  { drivers, where }: Pick<Profile, 'drivers' | 'where'>,
  kernel: Pick<KernelTree, 'release' | 'modulesDir'>,
  hashes: FileHashes,
): Promise<Pick<PlanInputs, 'essential' | 'essentialModules' | 'modules'>> {
  const { release } = kernel;
  const { include, exclude } = drivers;
  const sets = [...drivers.sets, OWN_SET];
  const place = (list: string, index: number) => where(['drivers', list, index]);
  const selection = await selectDrivers({ modulesDir: kernel.modulesDir, sets, include, exclude, where: place });
  const [first, others, firmware] = await Promise.all([
    modulePiece(selection.essential, selection, release, hashes),
    modulePiece(selection.stage2, selection, release, hashes),
    firmwarePiece(drivers.firmware === 'auto' ? selection.firmware : [], release, hashes),
  ]);
  return {
    essential: selection.load,
    essentialModules: joined(first, metadataPiece(selection.metadata.essential, release)),
    modules: joined(others, metadataPiece(selection.metadata.all, release), firmware),
  };
}

/** Where the modules of a kernel lie on the media. */
const modulesOnMedia = (release: string): string => `/usr/lib/modules/${release}`;

/**
 * Modules as they will be on the media: decompressed, because busybox and older kernels read no other, and what is
 * packed around them compresses better.
 */
async function modulePiece(
  names: readonly string[],
  { modules }: DriverSelection,
  release: string,
  hashes: FileHashes,
): Promise<Piece> {
  const piece: Piece = { entries: [], contents: new Map() };
  const entries = names.map(async (name): Promise<Entry> => {
    const module = modules.get(name);
    if (!module) throw new Error(`module ${name} was never selected`);
    const { sha256, size } = await hashes.of(module.path, 'module');
    piece.contents.set(sha256, { from: 'module', path: module.path });
    const path = `${modulesOnMedia(release)}/${module.stored}`;
    const origin = `kernel ${release}: ${module.stored}`;
    return { type: 'file', path, mode: 0o644, uid: 0, gid: 0, why: module.reasons, size, sha256, origin };
  });
  piece.entries.push(...(await Promise.all(entries)));
  return piece;
}

/** The modules.* files that go with them. */
function metadataPiece(files: ReadonlyMap<string, string | Uint8Array>, release: string): Piece {
  const piece: Piece = { entries: [], contents: new Map() };
  for (const [file, content] of files) {
    madeFile(piece, `${modulesOnMedia(release)}/${file}`, content, [{ rule: 'modules of the driver sets' }]);
  }
  return piece;
}
