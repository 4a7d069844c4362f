import { MindiError } from '../../error.ts';
import { entry } from '../graph.ts';
import { nodesOf } from '../nodes.ts';
import type { Layout, Volume } from '../schema.ts';

/** What an i-want-my-lvm makes; physical volumes by their nodes. */
export interface LvmScript {
  groups: Record<string, { extentSize?: number; maxVolumes?: number; maxPhysicalVolumes?: number; on: string[] }>;
  volumes: Record<string, Volume>;
}

/**
 * Reads MondoRescue's i-want-my-lvm: lines that begin with `#` are the commands a restore runs, all others are for people.
 * @throws MindiError `lvm-script.*`, every bad line at once, each as file:line:column
 */
export function parseLvmScript(text: string, file: string): LvmScript {
  const script: LvmScript = { groups: {}, volumes: {} };
  const problems: MindiError[] = [];
  for (const [n, line] of text.split('\n').entries()) {
    const words = line.trim().split(/\s+/);
    if (words[0] !== '#') continue;
    const at = words.findIndex((word) => word === 'vgcreate' || word === 'lvcreate');
    if (at < 0) continue;
    const { options, rest } = parse(words.slice(at + 1));
    const fault = words[at] === 'vgcreate' ? addGroup(script, options, rest) : addVolume(script, options, rest);
    if (fault) {
      const where = `${file}:${n + 1}:${line.indexOf(words[at] ?? '') + 1}`;
      problems.push(
        new MindiError(fault, { code: 'lvm-script.line', where, hint: 'Correct the line, or take its # away.' }),
      );
    }
  }
  if (problems.length > 0) throw MindiError.all(problems, `${file} has lines that are not right:`, 'lvm-script.lines');
  return script;
}

function parse(words: readonly string[]): { options: Map<string, string>; rest: string[] } {
  const options = new Map<string, string>();
  const rest: string[] = [];
  for (let n = 0; n < words.length; n += 1) {
    const word = words[n] ?? '';
    if (!/^-[a-zA-Z]$/.test(word)) rest.push(word);
    else options.set(word, words[++n] ?? '');
  }
  return { options, rest };
}

function addGroup(script: LvmScript, options: Map<string, string>, [name, ...on]: string[]): string | null {
  if (!name || on.length === 0) return 'a group needs a name and physical volumes';
  const extentSize = sizeOf(options.get('-s'), 2 ** 10);
  const [volumes, physical] = [Number(options.get('-l') ?? 0), Number(options.get('-p') ?? 0)];
  // 255 was the most LVM1 took: no limit was meant.
  const limit = (key: string, value: number) => (value > 0 && value < 255 ? { [key]: value } : {});
  script.groups[name] = {
    ...(extentSize ? { extentSize } : {}),
    ...limit('maxVolumes', volumes),
    ...limit('maxPhysicalVolumes', physical),
    on,
  };
  return null;
}

function addVolume(script: LvmScript, options: Map<string, string>, [group]: string[]): string | null {
  const name = options.get('-n');
  const size = sizeOf(options.get('-L'), 2 ** 20);
  if (!name || !group) return 'a volume needs a name (-n) and a group';
  if (!size) return `${name} has no size that LVM reads (-L 512m)`;
  const stripes = Number(options.get('-i') ?? 1);
  const stripeSize = sizeOf(options.get('-I'), 2 ** 10);
  const striped = stripes > 1 ? { kind: 'striped' as const, stripes, ...(stripeSize ? { stripeSize } : {}) } : {};
  script.volumes[`${group}/${name}`] = { group, ...striped, size };
  return null;
}

const UNITS: Record<string, number> = { b: 1, s: 512, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** LVM's sizes: `512m`, `1.5g`; a bare number is in the option's own unit. */
function sizeOf(text: string | undefined, unit: number): number | undefined {
  const [, number, letter] = /^(\d+(?:\.\d+)?)([bskmgt])?/i.exec(text ?? '') ?? [];
  const bytes = Math.round(Number(number) * (letter ? (UNITS[letter.toLowerCase()] ?? 1) : unit));
  return bytes > 0 ? bytes : undefined;
}

/** The groups and volumes of a layout as an i-want-my-lvm; thin pools, RAID and caches have no words there and are hints. */
export function formatLvmScript(layout: Layout): string {
  const node = nodesOf(layout, new Map());
  const physical = Object.entries(layout.physicalVolumes);
  const lines =
    physical.length > 0 ? [`>>>>> ${physical.map(([id]) => node(id)).join(' ')}`, '# lvm vgchange -an'] : [];
  lines.push(...physical.map(([id]) => `# echo y | lvm pvcreate -ff ${node(id)}`));
  if (physical.length > 0) lines.push('# lvm vgscan');
  for (const [name, { extentSize = 4 << 20, maxVolumes = 255, maxPhysicalVolumes = 255 }] of Object.entries(
    layout.groups,
  )) {
    const on = physical.flatMap(([id, { group }]) => (group === name ? [node(id)] : []));
    lines.push(
      `# lvm vgcreate ${name} -l ${maxVolumes} -p ${maxPhysicalVolumes} -s ${extentSize / 1024}k ${on.join(' ')}`,
      `# lvm vgchange -a y ${name}`,
    );
    for (const [id, volume] of Object.entries(layout.volumes))
      if (volume.group === name) lines.push(volumeLine(id, volume));
  }
  if (physical.length > 0) lines.push('# lvm vgscan');
  for (const [id, { type }] of Object.entries(layout.filesystems))
    if (entry(layout.volumes, id)) lines.push(`(mkfs -t ${type} ${node(id)})`);
  return lines.map((line) => `${line}\n`).join('');
}

function volumeLine(id: string, { group, kind = 'linear', size = 0, stripes = 1, stripeSize }: Volume): string {
  const name = id.slice(group.length + 1);
  if (kind !== 'linear' && kind !== 'striped') return `(${id} is of the kind ${kind}, which is not made from here)`;
  const striped = stripes > 1 ? ` -i ${stripes}${stripeSize ? ` -I ${stripeSize / 1024}` : ''}` : '';
  return `# lvm lvcreate${striped} -L ${Math.ceil(size / 1024)}k -n ${name} ${group}`;
}
