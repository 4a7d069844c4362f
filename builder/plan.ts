import type { MachineRecord } from '../contract/machine-record.ts';
import type { Contents, Entry, Manifest, Reason, Segment } from '../contract/manifest.ts';
import type { Mountlist } from '../contract/mountlist.ts';
import { formatMountlist } from '../contract/mountlist-file.ts';
import { type NetbootConfig, PATHS, type RescueConfig } from '../contract/rescue-config.ts';
import { networkWords } from '../contract/settings/network.ts';
import type { KernelTree } from './kernel/source.ts';
import { arrange, joined, madeFile, type Piece } from './piece.ts';
import type { Profile } from './profile/load.ts';

/** Everything the plan is made from: `gather.ts` reads it from the host, tests make it up. */
export interface PlanInputs {
  profile: Profile;
  /** mindi's name and version. */
  generator: string;
  /** Seconds since 1970, see Manifest. */
  epoch: number;
  kernel: KernelTree;
  /** Modules loaded before the medium is found, in order, without their dependencies. */
  essential: string[];
  /** busybox, the shim and the init. */
  base: Piece;
  /** The content of the runtime's squashfs. */
  runtime: Piece;
  /** What the processor gets before anything else; no entries when the profile asks for none. */
  microcode: Piece;
  /** Modules, their metadata and firmware needed to reach the medium. */
  essentialModules: Piece;
  /** All other modules, all the metadata, firmware. */
  modules: Piece;
  /** For a medium that is started from the network: modules and firmware of network cards, metadata of these and the essential. */
  network: Piece | null;
  tools: Piece;
  /** Password and key for the restore source. */
  restore: Piece;
  mountlist: Mountlist | null;
  /** Of this machine; null on a medium for others. */
  record: MachineRecord | null;
  /** The public keys that SSH lets in. */
  authorizedKeys: Piece;
}

export interface Plan {
  manifest: Manifest;
  contents: Contents;
  /** What goes into the initrd's config once the second stage is packed. */
  config: Omit<RescueConfig, 'stage2' | 'manifest'>;
  /** Warnings: what the person should know though it builds. */
  notes: string[];
}

/** zstd levels. Level 9 takes half as long again as 6 for three per cent of the ISO, 15 ten times as long for eight. */
const LEVELS = { runtime: 9, base: 9, modules: 9, stage2: 9 } as const;
export const STAGE2_ON_MEDIUM = 'mindi/stage2.squashfs';

/** Decides every file of the media. Pure: the same inputs give the same manifest, and nothing is read or written. */
export function plan(inputs: PlanInputs): Plan {
  const { profile, kernel } = inputs;
  const host = hostPiece(inputs);
  const network = networkPiece(inputs);
  const segments = [...initrdSegments(inputs), ...networkSegment(network), ...secondStage(inputs), hostSegment(host)];
  const manifest: Manifest = {
    format: 1,
    name: profile.name,
    generator: inputs.generator,
    epoch: inputs.epoch,
    kernel: {
      release: kernel.release,
      banner: kernel.banner,
      size: kernel.imageSize,
      sha256: kernel.imageSha256,
      origin: kernel.origin,
    },
    segments,
  };
  const { base, runtime, microcode, essentialModules, modules, tools } = inputs;
  const pieces = [base, runtime, microcode, essentialModules, modules, network, tools, host];
  const contents: Contents = new Map(pieces.flatMap((piece) => [...piece.contents]));
  return { manifest, contents, config: rescueConfig(inputs), notes: [] };
}

/** The initrd's own segments. The runtime is compressed inside its squashfs, so the cpio around it is stored. */
function initrdSegments(inputs: PlanInputs): Segment[] {
  return [
    // The kernel looks for it only at the very beginning, in an archive that is not compressed.
    ...(inputs.microcode.entries.length > 0 ? [cpio('microcode', null, inputs.microcode.entries)] : []),
    cpio('base', LEVELS.base, inputs.base.entries),
    cpio('modules', LEVELS.modules, inputs.essentialModules.entries),
    runtimeImage(inputs.runtime),
    cpio('runtime', null, [
      embedded(PATHS.runtimeImage, 'runtime-image', { rule: `runtime: ${inputs.profile.runtime}` }),
    ]),
  ];
}

/** Node, or Bun: known long before the rest is. */
export function runtimeImage({ entries }: Piece): Segment {
  return { name: 'runtime-image', format: 'squashfs', level: LEVELS.runtime, entries: arrange(entries) };
}

/** What a medium started from the network needs before it has its second stage. */
function networkPiece({ network, profile }: PlanInputs): Piece {
  if (!network) return { entries: [], contents: new Map() };
  const piece = joined(network);
  const config: NetbootConfig = { format: 1, url: profile.netboot.url };
  madeFile(piece, PATHS.netboot, `${JSON.stringify(config, null, 1)}\n`, [{ rule: 'media: netboot' }]);
  return piece;
}

/** Behind the modules of every medium, because its metadata take the place of theirs. */
function networkSegment({ entries }: Piece): Segment[] {
  if (entries.length === 0) return [];
  return [{ ...cpio('net-modules', LEVELS.modules, entries), media: ['netboot'] }];
}

/**
 * The squashfs with everything else: a file on the medium, or folded into the initrd as its last big piece. Libraries
 * that the base links into the runtime are not packed twice.
 */
function secondStage(inputs: PlanInputs): Segment[] {
  const provided = new Set(inputs.base.entries.filter(({ type }) => type === 'symlink').map(({ path }) => path));
  const wanted = [...inputs.tools.entries, ...inputs.modules.entries].filter(({ path }) => !provided.has(path));
  const entries = arrange(wanted);
  const { fold } = inputs.profile.initrd;
  const stage2: Segment = {
    name: 'stage2',
    format: 'squashfs',
    level: LEVELS.stage2,
    ...(fold ? {} : { onMedium: STAGE2_ON_MEDIUM }),
    entries,
  };
  if (!fold) return [stage2];
  return [stage2, cpio('folded', null, [embedded(PATHS.stage2Image, 'stage2', { rule: 'initrd.fold' })])];
}

/** What only this machine has, last and small, so that everything before it can come from the cache. */
function hostPiece({ mountlist, record, authorizedKeys, restore }: PlanInputs): Piece {
  const piece = joined(authorizedKeys, restore);
  if (mountlist) madeFile(piece, PATHS.mountlist, formatMountlist(mountlist), [{ rule: 'mountlist' }]);
  if (record) madeFile(piece, PATHS.machine, `${JSON.stringify(record, null, 2)}\n`, [{ rule: 'mountlist' }]);
  return piece;
}

function hostSegment(piece: Piece): Segment {
  // Where the restore data are may come with a password.
  const config: Entry = { type: 'config', path: PATHS.config, mode: 0o600, uid: 0, gid: 0, why: [{ rule: 'init' }] };
  return cpio('host', null, [...piece.entries, config]);
}

function rescueConfig({ profile, kernel, mountlist, generator, epoch, essential }: PlanInputs): Plan['config'] {
  return {
    format: 1,
    name: profile.name,
    generator,
    created: new Date(epoch * 1000).toISOString(),
    machine: mountlist?.machine ?? null,
    kernel: kernel.release,
    runtime: profile.runtime,
    essential,
    restore: restoreWords(profile),
    ...ownRestore(profile),
    keymap: profile.access.keymap,
    stick: profile.access.stick,
    network: networkWords(profile.network),
    ...(profile.access.statusPage && { statusPage: true }),
  };
}

function restoreWords({ restore: { mode, source, hostKey } }: Profile): RescueConfig['restore'] {
  return { mode, source, ...(hostKey !== null && { hostKey }) };
}

function ownRestore({ restore }: Profile): Pick<RescueConfig, 'ownRestore'> {
  const { command, environment, warningCodes } = restore;
  return command ? { ownRestore: { command, environment, warningCodes } } : {};
}

function cpio(name: string, level: number | null, entries: Entry[]): Segment {
  return { name, format: 'cpio', level, entries: arrange(entries) };
}

function embedded(path: string, segment: string, reason: Reason): Entry {
  return { type: 'segment', path, mode: 0o644, uid: 0, gid: 0, why: [reason], segment };
}
