import { MindiError } from '../error.ts';
import { quoted } from '../settings/problems.ts';
import { didYouMean } from '../settings/suggest.ts';
import { strangeFields } from './filesystems.ts';
import { BLOCK_SECTIONS, entry, MISSING, orderOf, sectionOf, usesOf } from './graph.ts';
import type { Layout, Partition } from './schema.ts';

type Path = readonly (string | number)[];
type Report = (path: Path, code: string, message: string, hint: string) => void;

/**
 * What the schema cannot see: devices that are not there, used twice or lie on themselves, partitions that overlap,
 * volumes without a group. Empty when nothing is wrong.
 * @param placeOf `file:line:column` of a value
 */
export function layoutProblems(layout: Layout, placeOf: (path: Path) => string): MindiError[] {
  const problems: MindiError[] = [];
  const report: Report = (path, code, message, hint) =>
    void problems.push(new MindiError(message, { code: `layout.${code}`, where: placeOf(path), hint }));
  for (const rule of RULES) rule(layout, report);
  return problems;
}

const RULES: readonly ((layout: Layout, report: Report) => void)[] = [
  checkIds,
  checkReferences,
  checkUses,
  checkCircles,
  checkTables,
  checkArrays,
  checkVolumes,
  checkFilesystems,
  checkMounts,
];

function checkIds(layout: Layout, report: Report): void {
  const first = new Map<string, string>();
  for (const section of BLOCK_SECTIONS)
    for (const id of Object.keys(layout[section])) {
      const wanted = section === 'volumes' ? /^[\w.+-]+\/[\w.+-]+$/ : /^[^/\s\x00-\x1f]+$/;
      if (!wanted.test(id) || id === '.' || id === '..' || id === MISSING)
        report([section, id], 'bad-id', `${quoted(id)} cannot be an id in ${section}`, ID_HINTS[section] ?? ID_HINT);
      const before = first.get(id);
      if (before)
        report([section, id], 'duplicate-id', `${id} is in ${before} and in ${section}`, 'Give one another id.');
      else first.set(id, section);
    }
}

const ID_HINT = 'An id is one word without a slash, as sda1.';
const ID_HINTS: Record<string, string> = { volumes: 'The id of a volume is GROUP/NAME.' };

function checkReferences(layout: Layout, report: Report): void {
  const devices = BLOCK_SECTIONS.flatMap((section) => Object.keys(layout[section]));
  const known = new Set(devices);
  const need = (path: Path, id: string) => {
    if (known.has(id)) return;
    report(path, 'no-device', `there is no device ${quoted(id)}`, didYouMean(id, devices) ?? DEVICES_HINT);
  };
  for (const [id, { on }] of Object.entries(layout.partitions)) need(['partitions', id, 'on'], on);
  for (const { section, id, needs, path } of usesOf(layout)) for (const one of needs) need([section, id, ...path], one);
  for (const [id, { container }] of Object.entries(layout.arrays))
    if (container) need(['arrays', id, 'container'], container);
  const groups = Object.keys(layout.groups);
  const group = (path: Path, name: string) => {
    if (groups.includes(name)) return;
    const hint = didYouMean(name, groups) ?? 'Say it under groups.';
    report(path, 'no-group', `there is no volume group ${quoted(name)}`, hint);
  };
  for (const [id, volume] of Object.entries(layout.physicalVolumes))
    if (volume.group) group(['physicalVolumes', id, 'group'], volume.group);
  for (const [id, volume] of Object.entries(layout.volumes)) group(['volumes', id, 'group'], volume.group);
}

const DEVICES_HINT = 'Devices are what stands under disks, partitions, arrays, encrypted and volumes.';

function checkUses(layout: Layout, report: Report): void {
  const first = new Map<string, string>();
  for (const { section, id, needs, path } of usesOf(layout))
    for (const device of needs) {
      const before = first.get(device);
      const here = `${section}.${id}`;
      if (before)
        report([section, id, ...path], 'used-twice', `${device} is used by ${before} and by ${here}`, 'Leave one out.');
      else first.set(device, here);
    }
}

function checkCircles(layout: Layout, report: Report): void {
  const { circle } = orderOf(layout);
  const [first] = circle;
  if (!first) return;
  const [kind = '', id = ''] = first.split(/:(.*)/s);
  const path = kind === 'group' ? ['groups', id] : [sectionOf(layout, id) ?? '', id];
  const names = circle.map((node) => node.replace(/^\w+:/, '')).join(', ');
  report(path, 'circle', `these lie on each other in a circle: ${names}`, 'Something must lie on a disk.');
}

/** MBR types of partitions that hold others. */
export const EXTENDED = ['extended', '5', '05', 'f', '0f', '85'];
export const isExtended = ({ type }: Partition) => EXTENDED.includes(type ?? '');

function checkTables(layout: Layout, report: Report): void {
  const tables = Map.groupBy(Object.entries(layout.partitions), ([, { on }]) => on);
  for (const [on, partitions] of tables) {
    const table = entry(layout.tables, on);
    const [[firstId] = ['']] = partitions;
    if (!table)
      report(['partitions', firstId, 'on'], 'no-table', `${on} has no partition table`, 'Say it under tables.');
    const numbers = new Map<number, string>();
    for (const [id, { number }] of partitions) {
      const before = numbers.get(number);
      if (before)
        report(['partitions', id, 'number'], 'duplicate-number', `${before} is number ${number}, too`, 'Count on.');
      numbers.set(number, id);
    }
    if (table?.type === 'mbr') checkMbr(partitions, report);
    checkOverlap(partitions, report);
  }
}

function checkMbr(partitions: readonly [string, Partition][], report: Report): void {
  const extended = partitions.filter(([, one]) => isExtended(one));
  for (const [id] of extended.slice(1))
    report(['partitions', id, 'type'], 'second-extended', 'an MBR has one extended partition', 'Leave one out.');
  for (const [id, { number, uuid, name }] of partitions) {
    if (number > 4 && extended.length === 0)
      report(
        ['partitions', id, 'number'],
        'no-extended',
        `${id} is a logical partition without an extended one`,
        MBR_HINT,
      );
    if (uuid !== undefined || name !== undefined)
      report(['partitions', id], 'not-in-mbr', `partitions of an MBR have no uuid and no name`, 'Leave them out.');
  }
}

const MBR_HINT = 'Numbers 1 to 4 are the primary ones; one of type extended holds those from 5 on.';

function checkOverlap(partitions: readonly [string, Partition][], report: Report): void {
  const placed = partitions.flatMap(([id, one]) =>
    one.start === undefined || one.size === undefined || isExtended(one)
      ? []
      : [{ id, start: one.start, end: one.start + one.size }],
  );
  placed.sort((one, other) => one.start - other.start);
  for (const [n, { id, start }] of placed.entries()) {
    const before = placed[n - 1];
    if (before && start < before.end)
      report(['partitions', id, 'start'], 'overlap', `${id} begins in ${before.id}`, `It may begin at ${before.end}.`);
  }
}

const LEAST_MEMBERS: Record<string, number> = { raid4: 2, raid5: 2, raid6: 4, raid10: 2 };

function checkArrays(layout: Layout, report: Report): void {
  for (const [id, { level, members, container }] of Object.entries(layout.arrays)) {
    const least = container ? 0 : (LEAST_MEMBERS[level] ?? 1);
    if (members.length < least)
      report(
        ['arrays', id, 'members'],
        'members',
        `${level} has ${least} members at least`,
        `Write \`${MISSING}\` for one that is not there.`,
      );
  }
}

function checkVolumes(layout: Layout, report: Report): void {
  for (const [id, volume] of Object.entries(layout.volumes)) {
    if (id.split('/')[0] !== volume.group)
      report(['volumes', id, 'group'], 'group', `${id} is not in the group ${volume.group}`, 'The id is GROUP/NAME.');
    const pool = volume.pool === undefined ? undefined : entry(layout.volumes, volume.pool);
    if (volume.kind === 'thin' && pool?.kind !== 'thin-pool')
      report(['volumes', id], 'pool', `${id} is thin and names no thin pool`, 'Add `pool: GROUP/NAME`.');
    if (volume.kind !== 'thin' && volume.pool !== undefined)
      report(['volumes', id, 'pool'], 'pool', `${id} is not thin and has a pool`, 'Write `kind: thin`.');
    for (const on of volume.on ?? [])
      if (entry(layout.physicalVolumes, on)?.group !== volume.group)
        report(['volumes', id, 'on'], 'no-device', `${on} is no physical volume of ${volume.group}`, 'Leave it out.');
    if (volume.kind === 'thin' && volume.size === undefined)
      report(['volumes', id], 'size', `${id} has no size`, 'A thin volume needs one.');
  }
}

function checkFilesystems(layout: Layout, report: Report): void {
  for (const [id, filesystem] of Object.entries(layout.filesystems))
    for (const field of strangeFields(filesystem.type, Object.keys(filesystem)))
      report(['filesystems', id, field], 'field', `${filesystem.type} has no ${field}`, 'Leave it out.');
}

function checkMounts(layout: Layout, report: Report): void {
  const first = new Map<string, string>();
  for (const [id, { mounts = [] }] of Object.entries(layout.filesystems))
    for (const [n, { at }] of mounts.entries()) {
      const path = ['filesystems', id, 'mounts', n, 'at'];
      const before = first.get(at);
      if (before) report(path, 'mounted-twice', `${before} and ${id} are both mounted at ${at}`, 'Leave one out.');
      if (at.split('/').some((part) => part === '..' || part === '.'))
        report(path, 'mountpoint', `${quoted(at)} is no place for a mount`, 'Write the path without dots.');
      first.set(at, id);
    }
}
