import { createRequire } from 'node:module';
import { MindiError } from '../contract/error.ts';
import type { Mountlist } from '../contract/mountlist.ts';
import { formatMountlist } from '../contract/mountlist-file.ts';
import { authorizedKeysPiece } from './authorized-keys.ts';
import { baseEntries } from './base-segment.ts';
import { recordMachine } from './drift/record.ts';
import { fateNotes } from './drivers/fates.ts';
import { limitNote, missingFirmwareNote } from './drivers/firmware.ts';
import { driverPieces } from './drivers/pieces.ts';
import { firstCapture, mediaEpoch } from './epoch.ts';
import { resolveKernel } from './kernel/source.ts';
import { hostKeymap, keymapPiece } from './keymap.ts';
import { captureMountlist } from './mountlist/capture.ts';
import { type HostFacts, readHostFacts } from './mountlist/facts.ts';
import { readMountlist } from './mountlist/file.ts';
import { joined, type Piece } from './piece.ts';
import type { PlanInputs } from './plan.ts';
import type { Profile } from './profile/load.ts';
import { authorities, restoreFiles } from './restore-files.ts';
import { type Secrets, scanForSecrets } from './secrets/scan.ts';
import { findBusybox } from './tools/busybox.ts';
import { FileHashes } from './tools/hashes.ts';
import { checkCommand, ownFiles } from './tools/own-files.ts';
import { resolveTools, type Tools, type ToolsRequest } from './tools/resolve.ts';
import { runtimeEntries } from './tools/runtime.ts';

const GENERATOR = `mindi ${createRequire(import.meta.url)('../package.json').version}`;

/** What a plan is made from, and the secrets found in it. */
export interface Gathered extends PlanInputs {
  secrets: Secrets;
}

/**
 * Reads everything a plan is made from: the kernel and its drivers, the tools, this machine's disks. Writes only mindi's
 * cache. What the person should know though it is no error goes to `note`; the runtime, which is there first, to `early`.
 */
export async function gather(
  profile: Profile,
  note: (text: string) => void,
  early: (runtime: Piece) => void = () => {},
): Promise<Gathered> {
  const hashes = new FileHashes();
  const keymap = hostKeymap(profile.access.keymap);
  const facts = profile.mountlist === 'host' ? readHostFacts() : undefined;
  const captured = mountlistFor(profile, facts);
  captured.catch(() => {}); // told below, with all else that is wrong
  // First, so that it is packed while the rest is gathered.
  const packed = runtimeEntries(profile.runtime, hashes).then((runtime) => {
    early(runtime);
    return runtime;
  });
  const [drivers, tools, base, runtime, mountlist, keymaps, authorizedKeys, restore, machine] = await settled([
    gatherDrivers(profile, hashes, note, captured),
    resolveTools({ ...toolsOf(profile), own: ownFiles(profile), hashes }),
    baseEntries({ busybox: findBusybox() }),
    packed,
    captured,
    keymapPiece([...new Set([...(keymap ? [keymap] : []), ...profile.access.keymaps])]),
    authorizedKeysPiece(profile),
    restoreFiles(profile),
    record(facts),
  ]);
  await hashes.save();
  await checkCommand(profile, [tools, base], findBusybox());
  if (keymap && keymaps.missing.includes(keymap))
    note(`this machine has no keymap ${keymap}: the medium will not have it`);
  if (tools.optionalMissing.length > 0) note(optionalNote(tools.optionalMissing));
  const { kernel, ...pieces } = drivers;
  const texts: Record<string, string> = mountlist ? { mountlist: formatMountlist(mountlist) } : {};
  const scanned = await scanForSecrets(profile, tools, texts, restore.secrets);
  return {
    profile: { ...profile, access: { ...profile.access, keymap } },
    generator: GENERATOR,
    epoch: mediaEpoch(mountlist, kernel.banner),
    kernel,
    base: joined(base, { entries: runtime.links, contents: new Map() }, keymaps.piece),
    runtime,
    tools: joined(await authorities(profile, tools), scanned.tools),
    restore: restore.piece,
    mountlist,
    record: machine,
    authorizedKeys,
    secrets: scanned,
    ...pieces,
  };
}

/** What `mindi check` compares with, of a medium for this machine. */
const record = async (facts?: Promise<HostFacts>) => (facts ? recordMachine(await facts) : null);

/** Tool sets that other fields of the profile ask for. */
const SETS_OF_FIELDS: readonly { set: string; field: string[]; wanted: (profile: Profile) => boolean }[] = [
  { set: 'ssh', field: ['access', 'authorizedKeys'], wanted: ({ access }) => access.authorizedKeys.length > 0 },
  { set: 'sshfs', field: ['restore', 'source'], wanted: ({ restore }) => /^(sftp|ssh):/.test(restore.source ?? '') },
  { set: 'iscsi', field: ['restore', 'source'], wanted: ({ restore }) => /^iscsi:/.test(restore.source ?? '') },
  { set: 'age', field: ['archive', 'encryption'], wanted: ({ archive }) => archive.encryption !== null },
  { set: 'par2', field: ['archive', 'parity'], wanted: ({ archive }) => archive.parity !== null },
];

/** The profile's tools, and the sets that other fields ask for, which are told as theirs. */
function toolsOf(profile: Profile): Pick<ToolsRequest, 'sets' | 'include' | 'where'> {
  const { sets, include } = profile.tools;
  const more = SETS_OF_FIELDS.filter(({ set, wanted }) => wanted(profile) && !sets.includes(set));
  const asked = (path: readonly (string | number)[]) =>
    profile.where((path[1] === 'sets' && more[Number(path[2]) - sets.length]?.field) || path);
  return { sets: [...sets, ...more.map(({ set }) => set)], include, where: asked };
}

/** One line for all of them: nobody reads fifty. */
function optionalNote(missing: Tools['optionalMissing']): string {
  const names = missing.map(({ tool }) => tool).join(', ');
  const packages = [...new Set(missing.map((tool) => tool.package))].sort().join(' ');
  return `optional tools this machine does not have: ${names} (packages: ${packages})`;
}

async function gatherDrivers(
  profile: Profile,
  hashes: FileHashes,
  note: (text: string) => void,
  captured: Promise<Mountlist | null>,
) {
  const kernel = await resolveKernel(profile.kernel, { where: profile.where(['kernel']), say: note });
  const filesystems = async () => filesystemsOf(await captured.catch(() => null));
  const { firmware, fates, ...pieces } = await driverPieces(profile, kernel, hashes, { say: note, filesystems });
  for (const text of [...fateNotes(fates), missingFirmwareNote(firmware), limitNote(firmware)])
    if (text !== undefined) note(text);
  return { kernel, ...pieces };
}

/** Filesystem types to read; null when the medium knows no machine. */
export const filesystemsOf = (mountlist: Mountlist | null): string[] | null =>
  mountlist && [...new Set(mountlist.entries.map(({ format }) => format))].sort();

export async function mountlistFor({ mountlist }: Profile, facts?: Promise<HostFacts>): Promise<Mountlist | null> {
  if (mountlist === 'none') return null;
  return mountlist === 'host' ? firstCapture(await captureMountlist(await facts)) : readMountlist(mountlist.file);
}

/** Promise.all that waits for all of them, so that everything that is wrong is said at once. */
async function settled<T extends readonly unknown[]>(work: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  const results = await Promise.allSettled(work as readonly Promise<unknown>[]);
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  const bug = failures.find((failure) => !(failure instanceof MindiError));
  if (bug) throw bug;
  const problems = (failures as MindiError[]).flatMap((error) =>
    error.problems.length > 0 ? error.problems : [error],
  );
  if (problems.length > 0) throw MindiError.all(problems, 'The medium cannot be built:', 'build.impossible');
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as unknown as T;
}
