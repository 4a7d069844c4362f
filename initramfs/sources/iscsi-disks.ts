import { basename, join } from 'node:path';
import type { Context } from '../boot.ts';
import { attribute, list } from '../devices.ts';
import { log } from '../log.ts';
import { complaint, findProgram, run } from '../process.ts';
import { blockDevices, partitionsOf } from '../storage/block-devices.ts';
import { bringStorageUp } from '../storage/bring-up.ts';

const SESSIONS = '/sys/class/iscsi_session';

/** Nodes of what lies on a target's disks: each disk before its partitions, then the volumes that are started on them. */
export function devicesOfTarget(target: string, lun: number | null = null): string[] {
  const names = list(SESSIONS)
    .filter((session) => attribute(SESSIONS, session, 'targetname') === target)
    .flatMap((session) => below(join(SESSIONS, session, 'device'), /^target/))
    .flatMap((folder) => below(folder, /^\d+:\d+:\d+:\d+$/))
    .filter((folder) => lun === null || basename(folder).endsWith(`:${lun}`))
    .flatMap((folder) => list(folder, 'block'))
    .flatMap((disk) => [disk, ...partitionsOf(disk)]);
  return [...names, ...volumesOn(names).map(({ name }) => name)].map((name) => `/dev/${name}`);
}

/** Volumes of LVM that lie on any of the devices, however deep. */
function volumesOn(names: readonly string[]) {
  const all = blockDevices();
  const found = new Set(names);
  // Each layer finds those on it.
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const { name, on } of all) if (on.some((one) => found.has(one))) found.add(name);
  }
  return all.filter(({ kind, name }) => kind === 'volume' && found.has(name));
}

/** Starts what lies on disks that came with a target, read-only as at boot. */
export async function startVolumes({ modules, parameters }: Context): Promise<void> {
  const { excludeDevs: excluded, noLvm } = parameters;
  await bringStorageUp({ modules, excluded, noLvm, problem: log });
}

/** Stops the volume groups on a target's disks: else it cannot be let go. */
export async function stopVolumes(target: string): Promise<void> {
  const names = devicesOfTarget(target).map((device) => device.replace(/^\/dev\//, ''));
  const groups = new Set(volumesOn(names).map(({ device }) => device.split('/')[2] ?? ''));
  for (const group of groups) {
    const stopped = await run(findProgram('lvm') ?? 'lvm', ['vgchange', '--activate', 'n', group]);
    if (stopped.code !== 0) log(`the group ${group} stays: ${complaint(stopped)}`);
  }
}

const below = (folder: string, pattern: RegExp) =>
  list(folder)
    .filter((name) => pattern.test(name))
    .map((name) => join(folder, name));
