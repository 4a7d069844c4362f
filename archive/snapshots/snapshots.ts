import { setTimeout as wait } from 'node:timers/promises';
import { run, runSync } from '../../builder/run.ts';
import { scratch } from '../../builder/scratch.ts';
import { MindiError, messageOf } from '../../contract/error.ts';
import type { Mount } from '../../contract/mounts.ts';
import { isBelow } from '../roots.ts';
import { btrfs } from './btrfs.ts';
import type { Command, Snapshot, SnapshotKind } from './kind.ts';
import { lvm } from './lvm.ts';
import { type MountNamespace, mountNamespace } from './namespace.ts';
import { LIVE, type ReadFrom } from './read-from.ts';
import { zfs } from './zfs.ts';

const KINDS: readonly SnapshotKind[] = [btrfs, zfs, lvm];

export interface SnapshotOptions {
  consistency: 'live' | 'snapshot' | 'auto';
  /** What the names of this store's snapshots begin with. */
  mark: string;
  note: (text: string) => void;
}

export interface Source extends AsyncDisposable {
  from: ReadFrom;
}

const MACHINE: Source = { from: LIVE, [Symbol.asyncDispose]: async () => {} };

/**
 * What a run reads from. Snapshots are there until it is disposed, or the process ends; those that a run left which was
 * killed are taken away before.
 * @param starts where the walk begins
 * @throws MindiError `archive.snapshot` when there must be snapshots and cannot be
 */
export async function openSource(
  starts: readonly string[],
  mounts: readonly Mount[],
  { consistency, mark, note }: SnapshotOptions,
): Promise<Source> {
  if (process.getuid?.() !== 0) {
    if (consistency !== 'snapshot') return MACHINE;
    throw refused(['only root can take snapshots']);
  }
  await removeLeftOvers(mark, mounts, note);
  if (consistency === 'live') return MACHINE;
  const wanted = mountsOf(starts, mounts);
  const plans = await Promise.all(wanted.map(planOf));
  const reasons = plans.flatMap(({ take }) => (typeof take === 'string' ? [take] : []));
  if (consistency === 'snapshot' && reasons.length > 0) throw refused(reasons);
  for (const { why } of plans) if (why) note(why);
  if (plans.every(({ take }) => typeof take === 'string'))
    return { ...MACHINE, from: { ...LIVE, told: told(plans, []) } };
  return taken(plans, mark, note);
}

/** What lies where the walk begins; the shortest path first, so that each can be mounted on what is there already. */
function mountsOf(starts: readonly string[], mounts: readonly Mount[]): Mount[] {
  // Of several on one directory the last one is seen.
  const visible = mounts.filter(({ target }, n) => !mounts.some((later, m) => m > n && later.target === target));
  const deepestFirst = visible.toSorted((one, other) => other.target.length - one.target.length);
  const wanted = starts.map((path) => deepestFirst.find(({ target }) => path === target || isBelow(path, target)));
  return visible
    .filter((mount) => wanted.includes(mount))
    .sort((one, other) => one.target.length - other.target.length);
}

interface Plan {
  mount: Mount;
  kind: SnapshotKind['name'] | null;
  /** A sentence: why it cannot be. */
  take: ((name: string) => Promise<Snapshot>) | string;
  /** The same where one would expect that it can. */
  why?: string;
}

async function planOf(mount: Mount): Promise<Plan> {
  const part = mount.format !== 'btrfs' && mount.root !== '/';
  if (part)
    return { mount, kind: null, take: `${mount.target} shows a part of a file system that is mounted elsewhere` };
  for (const { name, look } of KINDS) {
    const take = await look(mount);
    if (typeof take === 'string') return { mount, kind: null, take, why: `${mount.target} is read as it is: ${take}` };
    if (take) return { mount, kind: name, take };
  }
  return { mount, kind: null, take: `${mount.target} (${mount.format}) is on no logical volume, and no btrfs or ZFS` };
}

async function taken(plans: readonly Plan[], mark: string, note: (text: string) => void): Promise<Source> {
  const work = await scratch('snapshots');
  const at = new Date().toISOString();
  const snapshots: Snapshot[] = [];
  let space: MountNamespace | undefined;
  const atExit = () => {
    space?.kill();
    for (const { remove } of snapshots.toReversed()) removeNow(remove);
  };
  process.once('exit', atExit);
  const close = async () => {
    await space?.end();
    for (const { remove } of snapshots.toReversed())
      await removeSoon(remove).catch((error) =>
        note(`a snapshot is left, the next run removes it: ${messageOf(error)}`),
      );
    process.off('exit', atExit);
    await work[Symbol.asyncDispose]();
  };
  try {
    // All of them first, one right after the other: their mounting takes longer.
    const shown: { mount: Mount; snapshot: Snapshot | null }[] = [];
    for (const [n, { mount, take }] of plans.entries()) {
      const snapshot = typeof take === 'string' ? null : await take(`${mark}${n + 1}`);
      if (snapshot) snapshots.push(snapshot);
      shown.push({ mount, snapshot });
    }
    space = await mountNamespace(work.path);
    await show(space, shown);
    return {
      from: {
        root: space.root,
        at,
        told: told(plans, snapshots),
        check: () => check(snapshots),
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw new MindiError(`a snapshot could not be taken: ${messageOf(error)}`, {
      code: 'archive.snapshot',
      hint: 'archive: { consistency: live } reads the files as they are.',
      exitCode: 1,
      cause: error,
    });
  }
}

/** The machine, with snapshots in the place of what they are of. */
async function show(
  space: MountNamespace,
  shown: readonly { mount: Mount; snapshot: Snapshot | null }[],
): Promise<void> {
  const root = shown.find(({ mount }) => mount.target === '/')?.snapshot;
  if (!root) await space.mount(['--rbind', '/'], '/');
  for (const { mount, snapshot } of shown) {
    if (snapshot) await space.mount(snapshot.mount, mount.target);
    else if (root) await space.mount(['--bind', mount.target], mount.target);
  }
}

const told = (plans: readonly Plan[], snapshots: readonly Snapshot[]) =>
  plans.map(({ mount, kind }) => ({
    path: mount.target,
    how: snapshots.length > 0 && kind ? kind : ('live' as const),
  }));

async function check(snapshots: readonly Snapshot[]): Promise<void> {
  const problems = await Promise.all(snapshots.map(({ problem }) => problem?.()));
  const [first] = problems.filter((text) => text !== undefined);
  if (first === undefined) return;
  throw new MindiError(first, {
    code: 'archive.snapshot',
    hint: 'Give its volume group more room, archive when less is written, or say archive: { consistency: live }.',
    exitCode: 1,
  });
}

/** What read from a snapshot may need a moment to end, and the kernel one to unmount it. */
const TRIES = 20;
const PAUSE = 250;

async function removeSoon(command: Command): Promise<void> {
  for (let left = TRIES - 1; ; left -= 1) {
    const failed = await run(...programOf(command)).then(
      () => null,
      (error) => error,
    );
    if (failed === null) return;
    if (left === 0) throw failed;
    await wait(PAUSE);
  }
}

/** The same while the process ends. */
function removeNow(command: Command): void {
  for (let left = TRIES; left > 0 && runSync(...programOf(command)).exitCode !== 0; left -= 1)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
}

async function removeLeftOvers(mark: string, mounts: readonly Mount[], note: (text: string) => void): Promise<void> {
  for (const { leftOvers } of KINDS) {
    for (const command of await leftOvers(mark, mounts).catch(() => [])) {
      const removed = await removeSoon(command).then(
        () => `a snapshot that a run left is removed: ${command.at(-1)}`,
        (error) => `a snapshot that a run left cannot be removed: ${messageOf(error)}`,
      );
      note(removed);
    }
  }
}

const programOf = ([program, ...words]: Command): [string, string[]] => [program, words];

const refused = (reasons: readonly string[]) =>
  new MindiError(`archive.consistency is snapshot, and there can be none: ${reasons.join('; ')}`, {
    code: 'archive.snapshot',
    hint: 'auto takes snapshots where they can be taken; live reads the files as they are.',
    exitCode: 1,
  });
