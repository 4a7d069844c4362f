import { MindiError } from '../../error.ts';
import { MISSING } from '../graph.ts';
import { nodesOf } from '../nodes.ts';
import { ARRAY_LEVELS, type Layout, type MdArray } from '../schema.ts';

/** An array as raidtab(5) has it: devices by their nodes. */
export interface RaidtabArray extends Pick<MdArray, 'level' | 'chunk' | 'layout'> {
  device: string;
  members: string[];
  spares: string[];
}

/** raidtab's words for how parity lies in a raid5. */
const PARITY = ['left-asymmetric', 'right-asymmetric', 'left-symmetric', 'right-symmetric'];

/**
 * Reads /etc/raidtab, the file MondoRescue keeps arrays in (raidtab(5) of the raidtools). `#` starts a comment.
 * @param file what to call the text in errors
 * @throws MindiError `raidtab.*`, every bad line at once, each as file:line:column
 */
export function parseRaidtab(text: string, file: string): RaidtabArray[] {
  const arrays: RaidtabArray[] = [];
  const problems: MindiError[] = [];
  let device = '';
  for (const [n, line] of text.split('\n').entries()) {
    const [key = '', value = ''] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (!key) continue;
    const bad = (message: string) =>
      void problems.push(
        new MindiError(message, {
          code: 'raidtab.line',
          where: `${file}:${n + 1}:${line.search(/\S/) + 1}`,
          hint: 'raidtab(5) has the words: raiddev, raid-level, nr-raid-disks, chunk-size, device, raid-disk, spare-disk.',
        }),
      );
    const current = arrays.at(-1);
    if (!value) bad(`${key} has no value`);
    else if (key === 'raiddev') arrays.push({ device: value, level: 'raid1', members: [], spares: [] });
    else if (!current) bad(`${key} stands before any raiddev`);
    else if (key === 'device') device = value;
    else if (!setField(current, key, value, device)) bad(`raidtab has no ${key} of ${value}`);
  }
  if (problems.length > 0) throw MindiError.all(problems, `${file} has lines that are no raidtab's:`, 'raidtab.lines');
  return arrays;
}

/** Of what the file itself shows, or mdadm finds out. */
const PASSED_OVER = ['nr-spare-disks', 'persistent-superblock'];

function setField(array: RaidtabArray, key: string, value: string, device: string): boolean {
  if (PASSED_OVER.includes(key)) return true;
  const number = Number.parseInt(value, 10);
  if (key === 'raid-level') {
    const level = (/^\d+$/.test(value) ? `raid${value}` : value) as MdArray['level'];
    array.level = level;
    return ARRAY_LEVELS.includes(level);
  }
  if (key === 'parity-algorithm') array.layout = value;
  if (key === 'parity-algorithm') return PARITY.includes(value);
  if (!(number >= 0 && number < 2 ** 20)) return false;
  if (key === 'chunk-size') array.chunk = number * 1024;
  else if (key === 'nr-raid-disks' && number <= 512) array.members.length = Math.max(number, array.members.length);
  else if (key === 'raid-disk' && number < 512) array.members[number] = device;
  else if (key === 'spare-disk') array.spares.push(device);
  else return key === 'failed-disk' && number < 512;
  return true;
}

/** The arrays of a layout as raidtab(5) has them; what it has no word for is left out. */
export function formatRaidtab(layout: Layout): string {
  const node = nodesOf(layout, new Map());
  const blocks = Object.entries(layout.arrays).flatMap(
    ([id, { level, members, spares = [], chunk, layout: order }]) => {
      if (level === 'container' || members.length === 0) return [];
      const devices = members.map((member, n) =>
        member === MISSING ? '' : `  device ${node(member)}\n  raid-disk ${n}\n`,
      );
      const lines = [
        `raiddev ${node(id)}\n  raid-level ${level.replace('raid', '')}\n  nr-raid-disks ${members.length}\n`,
        ...(spares.length > 0 ? [`  nr-spare-disks ${spares.length}\n`] : []),
        '  persistent-superblock 1\n',
        ...(chunk ? [`  chunk-size ${chunk / 1024}\n`] : []),
        ...(order && PARITY.includes(order) ? [`  parity-algorithm ${order}\n`] : []),
        ...devices,
        ...spares.map((spare, n) => `  device ${node(spare)}\n  spare-disk ${n}\n`),
      ];
      return lines.join('');
    },
  );
  return blocks.join('\n');
}
