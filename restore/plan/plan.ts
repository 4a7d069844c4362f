import { createHash } from 'node:crypto';
import { MindiError } from '../../contract/error.ts';
import { entry, orderOf, sectionOf } from '../../contract/layout/graph.ts';
import { diskNode, nodesOf } from '../../contract/layout/nodes.ts';
import type { Disk, Layout } from '../../contract/layout/schema.ts';
import { together } from '../../contract/settings/problems.ts';
import { type Match, matchDisks } from '../identity.ts';
import { arraySteps } from './arrays.ts';
import { clearingSteps, lostOn } from './clear.ts';
import { encryptedSteps } from './encrypted.ts';
import { filesystemSteps } from './filesystems.ts';
import { finishingSteps, groupSteps, physicalSteps, volumeSteps } from './lvm.ts';
import { mountSteps } from './mounts.ts';
import { partitionSteps } from './partitions.ts';
import { missingPrograms, refusals } from './refusals.ts';
import { diskNeeds } from './space.ts';
import type { Step } from './step.ts';

/** Everything a restore will do to the disks, decided before anything is done. */
export interface Plan {
  version: 1;
  /** Disks of the layout and the disks of this machine they are made on. */
  targets: (Match & { node: string; facts: Disk })[];
  /** What is on those disks now and will be gone. */
  lost: { disk: string; what: string[] }[];
  steps: Step[];
  /** When the data are back. */
  after: Step[];
  /** SHA-256 of all the others: a plan that was changed is another plan. */
  hash: string;
}

/** What the plan is made for. */
export interface Situation {
  /** What is on this machine now: its captured layout. */
  there: Layout;
  /** Ids of its swap areas that are in use. */
  swapping?: readonly string[];
  /** Ids of its encrypted devices that are not open. */
  locked?: readonly string[];
  /** Disks of this machine that are never written to, and why. */
  refused?: Readonly<Record<string, string>>;
  /** Disks of the layout and what a person chose for them. */
  chosen?: Readonly<Record<string, string>>;
  /** Whether a program is there; without it all are taken to be. */
  hasProgram?: (name: string) => boolean;
}

/**
 * The plan for making a layout on a machine. Nothing is done.
 * @throws MindiError with everything that stands against it, exit code 1: nothing was written
 */
export function plan(layout: Layout, situation: Situation): Plan {
  const { there, refused = {}, chosen = {}, hasProgram = () => true } = situation;
  const { matches, problems } = matchDisks(layout.disks, there.disks, { needs: diskNeeds(layout), refused, chosen });
  const wanted = withoutKept(layout);
  const targets = matches.map((match) => ({
    ...match,
    node: nodeOfDisk(there, match.disk),
    facts: there.disks[match.disk] as Disk,
  }));
  const disks = targets.map(({ disk }) => disk);
  const steps = [...clearingSteps(situation, disks), ...making(wanted, targets)];
  const after = finishingSteps(wanted);
  const all = [...problems, ...refusals(wanted, there, disks), ...missingPrograms([...steps, ...after], hasProgram)];
  if (all.length > 0) throw failure(all);
  const body = { version: 1 as const, targets, lost: lostOn(there, disks), steps, after };
  return { ...body, hash: hashOf(body) };
}

/** The hash a plan must have: of everything else in it. */
export function hashOf({ version, targets, lost, steps, after }: Omit<Plan, 'hash'>): string {
  return createHash('sha256').update(JSON.stringify({ version, targets, lost, steps, after })).digest('hex');
}

function failure(problems: readonly MindiError[]): MindiError {
  const all = together(problems, 'the plan', 'plan.impossible');
  return problems.length === 1 ? all : new MindiError(all.message, { code: all.code, exitCode: 1 }, all.problems);
}

const nodeOfDisk = (there: Layout, id: string) => diskNode(id, Boolean(there.disks[id]?.multipath));

/** What lies on disks that are kept is there and is not made. */
function withoutKept(layout: Layout): Layout {
  const kept = new Set(Object.keys(layout.disks).filter((id) => layout.disks[id]?.keep));
  if (kept.size === 0) return layout;
  const partitions = Object.entries(layout.partitions).filter(([, { on }]) => kept.has(on));
  const gone = new Set([...kept, ...partitions.map(([id]) => id)]);
  const without = <T>(section: Record<string, T>) =>
    Object.fromEntries(Object.entries(section).filter(([id]) => !gone.has(id)));
  return {
    ...layout,
    disks: without(layout.disks),
    tables: without(layout.tables),
    partitions: without(layout.partitions),
    filesystems: without(layout.filesystems),
  };
}

function making(layout: Layout, targets: readonly { wanted: string; node: string }[]): Step[] {
  const node = nodesOf(layout, new Map(targets.map(({ wanted, node: path }) => [wanted, path])));
  const { order } = orderOf(layout);
  const devices = volumesWithoutSizeLast(layout, order).flatMap((one) => {
    const id = one.replace(/^\w+:/, '');
    return one.startsWith('group:') ? groupSteps(layout, id, node) : deviceSteps(layout, id, node);
  });
  return [
    ...devices,
    ...Object.keys(layout.filesystems).flatMap((id) => filesystemSteps(layout, id, node)),
    ...mountSteps(layout, node),
  ];
}

/** `all that is left` is known when the others are there. */
function volumesWithoutSizeLast(layout: Layout, order: readonly string[]): string[] {
  const greedy = (one: string) => {
    const volume = entry(layout.volumes, one.replace(/^\w+:/, ''));
    return one.startsWith('device:') && volume !== undefined && volume.size === undefined;
  };
  if (!order.some(greedy)) return [...order];
  const rank = new Map(order.map((one, n) => [one, n]));
  const last = new Map<string, number>();
  for (const one of order) {
    const group = entry(layout.volumes, one.replace(/^\w+:/, ''))?.group;
    if (group && one.startsWith('device:')) last.set(group, rank.get(one) ?? 0);
  }
  const place = (one: string) => {
    const group = entry(layout.volumes, one.replace(/^\w+:/, ''))?.group;
    return greedy(one) ? (last.get(group ?? '') ?? 0) + 0.5 : (rank.get(one) ?? 0);
  };
  return order.toSorted((one, other) => place(one) - place(other));
}

type Make = (layout: Layout, id: string, node: (id: string) => string) => Step[];
/** What makes the device itself; partitions are made with their table. */
const DEVICES: Record<string, Make> = { arrays: arraySteps, encrypted: encryptedSteps, volumes: volumeSteps };

function deviceSteps(layout: Layout, id: string, node: (id: string) => string): Step[] {
  return [
    ...(DEVICES[sectionOf(layout, id) ?? '']?.(layout, id, node) ?? []),
    ...(Object.hasOwn(layout.tables, id) ? partitionSteps(layout, id, node) : []),
    ...(Object.hasOwn(layout.physicalVolumes, id) ? physicalSteps(layout, id, node) : []),
  ];
}
