import { LEFT_OUT_FILE } from '../../contract/left-out.ts';
import type { Entry } from '../../contract/manifest.ts';
import type { KernelTree } from '../kernel/source.ts';
import { joined, madeFile, type Piece } from '../piece.ts';
import type { PlanInputs } from '../plan.ts';
import type { Profile } from '../profile/load.ts';
import type { FileHashes } from '../tools/hashes.ts';
import type { ListFates } from './fates.ts';
import { type FirmwareFate, type FirmwareResult, firmwareSettings, takeFirmware } from './firmware.ts';
import { firmwareSources, HOST } from './firmware-source.ts';
import { machinesOf } from './machines.ts';
import { microcodePiece } from './microcode.ts';
import type { DriverSelection } from './resolve.ts';
import { type Selection, selectDrivers } from './selection.ts';

/** What mindi's init needs, whatever the profile chooses. */
export const OWN_SET = 'medium';
/** What the first stage needs besides when it is started from the network. */
const NETWORK_SET = 'netboot';

export interface DriverPieces
  extends Pick<PlanInputs, 'essential' | 'microcode' | 'essentialModules' | 'modules' | 'network'> {
  /** What became of each firmware file. */
  firmware: FirmwareFate[];
  /** What became of the names the profile uses. */
  fates: ListFates[];
}

export interface DriverOptions {
  /** Hears what takes long. */
  say?: (text: string) => void;
  /** Filesystem types of the mountlist, asked only when the scope is narrow; null where there is no mountlist. */
  filesystems?: () => Promise<string[] | null>;
}

/** The modules a profile's `drivers:` choose of a kernel. */
export async function selectionOf(
  { drivers, where }: Pick<Profile, 'drivers' | 'where'>,
  modulesDir: string,
  filesystems: () => Promise<string[] | null> = async () => null,
  more: readonly string[] = [],
): Promise<Selection> {
  const { include, exclude, migrateTo } = drivers;
  const machines = await machinesOf(drivers, where);
  const scope = machines && { scope: { machines, filesystems: await filesystems() } };
  const sets = [...drivers.sets, OWN_SET, ...more];
  const place = (list: string, index: number) => where(['drivers', list, index]);
  return await selectDrivers({ modulesDir, sets, include, exclude, migrateTo, ...scope, where: place });
}

/** What a profile's `drivers:` brings of a kernel: modules, their metadata and firmware, by stage. */
export async function driverPieces(
  { drivers, media, where }: Pick<Profile, 'drivers' | 'media' | 'where'>,
  kernel: Pick<KernelTree, 'release' | 'modulesDir'>,
  hashes: FileHashes,
  { say, filesystems = async () => null }: DriverOptions = {},
): Promise<DriverPieces> {
  const { release } = kernel;
  const selection = await selectionOf({ drivers, where }, kernel.modulesDir, filesystems);
  const withNetwork = media.includes('netboot')
    ? await selectionOf({ drivers, where }, kernel.modulesDir, filesystems, [NETWORK_SET])
    : null;
  const options = { release, hashes, where, say };
  const [first, others, firmware, network] = await Promise.all([
    modulePiece(selection.essential, selection, release, hashes),
    modulePiece(selection.stage2, selection, release, hashes),
    firmwareOf(drivers, selection, options),
    withNetwork && networkPiece(drivers, selection, withNetwork, options),
  ]);
  return {
    essential: selection.load,
    microcode: firmware.microcode,
    essentialModules: joined(first, metadataPiece(selection.metadata.essential, release), firmware.essential),
    modules: joined(others, metadataPiece(selection.metadata.all, release), firmware.others),
    network,
    firmware: firmware.fates,
    fates: selection.fates,
  };
}

/** What the first stage lacks to reach the network; the modules.* files are of all it then has. */
async function networkPiece(
  { firmware }: Profile['drivers'],
  { essential }: DriverSelection,
  selection: Selection,
  options: FirmwareOptions,
): Promise<Piece> {
  const { release, hashes } = options;
  const there = new Set(essential);
  const names = selection.essential.filter((name) => !there.has(name));
  const asking = new Set(names);
  const wanted = selection.firmware.filter(({ wantedBy }) => wantedBy.some((name) => asking.has(name)));
  const [modules, taken] = await Promise.all([
    modulePiece(names, selection, release, hashes),
    firmwareOf({ firmware, microcode: 'none' }, { firmware: wanted, essential: names }, options),
  ]);
  return joined(modules, metadataPiece(selection.metadata.essential, release), taken.essential);
}

interface FirmwareOptions {
  release: string;
  hashes: FileHashes;
  where: Profile['where'];
  say: DriverOptions['say'] | undefined;
}

/** Firmware of the chosen modules and, where the profile asks for it, microcode. */
export async function firmwareOf(
  { firmware, microcode }: Pick<Profile['drivers'], 'firmware' | 'microcode'>,
  { firmware: wanted, essential }: Pick<DriverSelection, 'firmware' | 'essential'>,
  { release, hashes, where, say }: FirmwareOptions,
): Promise<FirmwareResult & { microcode: Piece }> {
  const settings = firmwareSettings(firmware);
  const place = (list: string) => (i: number) => where(['drivers', 'firmware', list, i]);
  const from = settings?.from ?? (microcode === 'none' ? [] : [HOST]);
  const sources = await firmwareSources(from, { where: place('from'), ...(say ? { say } : {}) });
  const nothing: Piece = { entries: [], contents: new Map() };
  const taken = settings
    ? await takeFirmware({ wanted, settings, sources, essential, release, hashes, where: place('include') })
    : { essential: nothing, others: nothing, fates: [] };
  return { ...taken, microcode: microcodePiece(microcode, sources, where(['drivers', 'microcode'])) };
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
    const rule = file === LEFT_OUT_FILE ? 'init: names drivers that are missing' : 'modules of the driver sets';
    madeFile(piece, `${modulesOnMedia(release)}/${file}`, content, [{ rule }]);
  }
  return piece;
}
