import { MindiError } from '../contract/error.ts';
import type { Disk, Layout } from '../contract/layout/schema.ts';
import { sizeText } from '../contract/layout/size.ts';

/** Which disk of this machine a disk of the layout is made on. */
export interface Match {
  /** Id in the layout. */
  wanted: string;
  /** Id on this machine. */
  disk: string;
  score: number;
  /** What says so: `serial`, `size`; `chosen` by a person. */
  evidence: string[];
}

export interface Matching {
  matches: Match[];
  problems: MindiError[];
}

interface Evidence {
  name: string;
  points: number;
  /** Two disks of which both have it and it differs are not the same. */
  of(disk: Disk): string | number | undefined;
}

/** What disks are told apart by. The first three are the disk's own; the others only make it likely. */
const EVIDENCE: readonly Evidence[] = [
  { name: 'wwn', points: 100, of: ({ wwn }) => wwn },
  { name: 'eui', points: 100, of: ({ eui }) => eui },
  { name: 'serial', points: 80, of: ({ serial }) => serial },
  { name: 'path', points: 20, of: ({ path }) => path },
  { name: 'size', points: 10, of: ({ size }) => size },
  { name: 'model', points: 5, of: ({ model }) => model },
];
/** From here on it is the very disk. */
const CERTAIN = 80;

/** How alike two disks are. */
export function likeness(wanted: Disk, disk: Disk): { score: number; evidence: string[] } {
  const same = EVIDENCE.filter(({ of }) => of(wanted) !== undefined && of(wanted) === of(disk));
  return { score: same.reduce((sum, { points }) => sum + points, 0), evidence: same.map(({ name }) => name) };
}

export interface Targets {
  /** What the disks of the layout need at least, bytes. */
  needs: Readonly<Record<string, number>>;
  /** Disks of this machine that are never written to, and why: `the medium in use`. */
  refused: Readonly<Record<string, string>>;
  /** What a person has chosen: ids of the layout to ids of this machine. */
  chosen: Readonly<Record<string, string>>;
}

/**
 * Finds the disk of this machine for each disk of the layout: what a person chose, then the very disks, then the likeliest
 * ones, those with the largest needs first. Where two are equally likely nothing is chosen: that is a problem which shows
 * both.
 */
export function matchDisks(wanted: Layout['disks'], there: Layout['disks'], targets: Targets): Matching {
  const search: Search = { wanted, there, needs: targets.needs, refused: { ...targets.refused, ...kept(there) } };
  const needs = (id: string) => targets.needs[id] ?? 0;
  const open = Object.keys(wanted).filter((id) => !wanted[id]?.keep);
  const found = new Map<string, Match | MindiError>();
  const taken = () => [...found.values()].flatMap((one) => (one instanceof MindiError ? [] : one.disk));
  for (const [id, disk] of Object.entries(targets.chosen)) found.set(id, choice(search, id, disk, taken()));
  for (const certain of [true, false])
    for (const id of open.toSorted((one, other) => needs(other) - needs(one))) {
      const result = found.has(id) ? null : decide(search, id, taken(), certain);
      if (result) found.set(id, result);
    }
  const all = [...open, ...Object.keys(targets.chosen).filter((id) => !open.includes(id))].flatMap(
    (id) => found.get(id) ?? [],
  );
  return {
    matches: all.filter((one): one is Match => !(one instanceof MindiError)),
    problems: all.filter((one) => one instanceof MindiError),
  };
}

interface Search extends Omit<Targets, 'chosen'> {
  wanted: Layout['disks'];
  there: Layout['disks'];
}

const kept = (there: Layout['disks']) =>
  Object.fromEntries(Object.entries(there).flatMap(([id, { keep }]) => (keep ? [[id, 'marked to be kept']] : [])));

/** What a person chose, unless it cannot be. */
function choice(
  { wanted, there, needs, refused }: Search,
  id: string,
  disk: string,
  taken: string[],
): Match | MindiError {
  if (!Object.hasOwn(wanted, id)) return problem('unknown', `the layout has no disk ${id}`, list(wanted));
  if (!Object.hasOwn(there, disk)) return problem('unknown', `this machine has no disk ${disk}`, list(there));
  if (Object.hasOwn(refused, disk)) return isRefused(id, disk, refused[disk]);
  if (taken.includes(disk)) return problem('twice', `${disk} is chosen for two disks`, 'Choose another one.');
  const { size } = there[disk] as Disk;
  if (size < (needs[id] ?? 0)) return tooSmall(id, [disk], there, needs[id] ?? 0);
  return { wanted: id, disk, score: CERTAIN, evidence: ['chosen'] };
}

/** @param certain only the very disk will do; null: it is not there */
function decide(search: Search, id: string, taken: readonly string[], certain: boolean): Match | MindiError | null {
  const { there, needs, refused } = search;
  const all = Object.entries(there)
    .filter(([disk]) => !taken.includes(disk))
    .map(([disk, facts]) => ({ wanted: id, disk, ...likeness(search.wanted[id] as Disk, facts) }))
    .filter(({ score }) => !certain || score >= CERTAIN)
    .sort((one, other) => other.score - one.score);
  const usable = all.filter(({ disk }) => !Object.hasOwn(refused, disk));
  const [first] = all;
  if (certain && !first) return null;
  if (certain && first && usable.length === 0) return isRefused(id, first.disk, refused[first.disk]);
  if (usable.length === 0) return problem('none', `this machine has no disk left for ${id}`, CHOOSE);
  const fitting = usable.filter(({ disk }) => (there[disk]?.size ?? 0) >= (needs[id] ?? 0));
  const [best, second] = fitting;
  if (!best)
    return tooSmall(
      id,
      usable.map(({ disk }) => disk),
      there,
      needs[id] ?? 0,
    );
  if (best.score !== second?.score) return best;
  const equal = fitting.filter(({ score }) => score === best.score).map(({ disk }) => described(disk, there));
  return problem('ambiguous', `${id} could be made on ${equal.join(' or on ')}: nothing tells them apart`, CHOOSE);
}

const CHOOSE = 'Choose one: --disk ID=DISK, where ID stands in the layout.';
const list = (disks: Layout['disks']) => `There are: ${Object.keys(disks).join(', ') || 'none'}.`;

/** `sdb (20GiB, WDC X1, serial 123)`. */
function described(id: string, there: Layout['disks']): string {
  const { size, model, serial, wwn } = there[id] as Disk;
  const facts = [sizeText(size), model, serial && `serial ${serial}`, !serial && wwn].filter(Boolean);
  return `${id} (${facts.join(', ')})`;
}

function isRefused(id: string, disk: string, why = ''): MindiError {
  return problem(
    'refused',
    `${id} would be made on ${disk}, which is ${why}`,
    'It is never written to. Choose another.',
  );
}

function tooSmall(id: string, disks: readonly string[], there: Layout['disks'], needed: number): MindiError {
  const shown = disks.map((disk) => described(disk, there)).join(', ');
  const hint = 'Make partitions smaller in the layout, or add a larger disk.';
  return problem('too-small', `${id} needs ${sizeText(needed)} and only ${shown} is left for it`, hint);
}

const problem = (code: string, message: string, hint: string) =>
  new MindiError(message, { code: `disk.${code}`, hint, exitCode: 1 });
