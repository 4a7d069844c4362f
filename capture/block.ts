import { type Machine, rowsOf, textOf } from './machine.ts';

/** A block device as lsblk shows it. */
export interface Block {
  /** Its id in the layout: `sda1`, `md0`, `mpatha`; of a volume the name below /dev/mapper until LVM was asked. */
  id: string;
  /** `/dev/sda1`, `/dev/mapper/vg-root`. */
  path: string;
  /** The kernel's name: `sda1`, `dm-0`. */
  kname: string;
  /** `disk`, `part`, `lvm`, `crypt`, `mpath`, `raid1` … */
  type: string;
  /** Bytes. */
  size: number;
  sectorSize: number;
  physicalSectorSize: number;
  /** As blkid names what is on it; empty where it knows nothing. */
  content: string;
  label: string;
  uuid: string;
  model: string;
  serial: string;
  wwn: string;
  /** Can be unplugged. */
  portable: boolean;
  parents: Block[];
  children: Block[];
}

/** All known to util-linux 2.32. */
const COLUMNS = 'NAME,KNAME,TYPE,SIZE,RM,TRAN,MODEL,SERIAL,WWN,LOG-SEC,PHY-SEC,FSTYPE,LABEL,UUID';

/** Every block device, each once however many it lies on. Nothing where lsblk is missing. */
export async function blocksOf(machine: Machine): Promise<Block[]> {
  const { stdout } = await machine.run('lsblk', ['--json', '--bytes', '-o', COLUMNS]);
  const blocks = new Map<string, Block>();
  visit(rowsOf(stdout, 'blockdevices'), undefined, blocks);
  const all = [...blocks.values()];
  await lookInside(machine, all);
  return all;
}

/** lsblk asks udev what is on a device; where there is none, or it is behind, blkid looks itself. */
async function lookInside(machine: Machine, blocks: readonly Block[]): Promise<void> {
  // Without its cache: what that says may be of a time long gone.
  const { stdout } = await machine.run('blkid', ['-c', '/dev/null', '-o', 'export']);
  const byPath = new Map(blocks.flatMap((block) => [block.path, `/dev/${block.kname}`].map((path) => [path, block])));
  for (const text of stdout.split(/\n\n+/)) {
    const found = new Map(
      [...text.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, key = '', value = '']) => [key, unescaped(value)]),
    );
    const block = byPath.get(found.get('DEVNAME') ?? '');
    const type = found.get('TYPE');
    if (!block || !type) continue;
    block.content = type;
    block.label = found.get('LABEL') ?? '';
    block.uuid = found.get('UUID') ?? '';
  }
}

/** Undoes blkid's escapes: a backslash before what a shell would read, bytes as `\xc3`. */
function unescaped(text: string): string {
  const bytes = text.replace(/(?:\\x[0-9a-f]{2})+/gi, (run) =>
    Buffer.from(run.replaceAll('\\x', ''), 'hex').toString('utf8'),
  );
  return bytes.replace(/\\(.)/g, '$1');
}

function visit(rows: Record<string, unknown>[], parent: Block | undefined, blocks: Map<string, Block>): void {
  for (const row of rows) {
    const kname = textOf(row.kname);
    if (!kname) continue;
    const known = blocks.get(kname);
    const block = known ?? blockOf(row, kname);
    blocks.set(kname, block);
    if (parent && !block.parents.includes(parent)) {
      block.parents.push(parent);
      parent.children.push(block);
      block.portable ||= parent.portable;
    }
    if (!known) visit(rowsOf(JSON.stringify(row), 'children'), block, blocks);
  }
}

function blockOf(row: Record<string, unknown>, kname: string): Block {
  const name = textOf(row.name) || kname;
  const mapped = kname.startsWith('dm-');
  return {
    id: mapped ? name : kname,
    path: mapped ? `/dev/mapper/${name}` : `/dev/${kname.replaceAll('!', '/')}`,
    kname,
    type: textOf(row.type),
    size: Number(row.size ?? 0),
    sectorSize: Number(row['log-sec'] ?? 512),
    physicalSectorSize: Number(row['phy-sec'] ?? 512),
    content: textOf(row.fstype),
    label: typeof row.label === 'string' ? row.label : '',
    uuid: textOf(row.uuid),
    model: textOf(row.model).replaceAll('_', ' ').trim(),
    serial: textOf(row.serial),
    wwn: textOf(row.wwn),
    portable: [true, '1', 1].includes(row.rm as never) || textOf(row.tran) === 'usb',
    parents: [],
    children: [],
  };
}

/** Memory, files, discs: nothing that is restored. */
const PASSING = /^(?:zram|ram|loop|fd|sr|scd|nbd)\d/;

export function isLasting(block: Block): boolean {
  if (PASSING.test(block.kname) || block.type === 'loop' || block.type === 'rom') return false;
  return block.parents.length === 0 || block.parents.some(isLasting);
}

/** One of several ways to a disk. */
export function isPath(block: Block): boolean {
  if (block.content === 'mpath_member' || block.children.some(({ type }) => type === 'mpath')) return true;
  return block.type === 'part' && block.parents.some(isPath);
}

export const isArray = ({ type, kname }: Block) =>
  /^(?:raid\d+|linear|md|container)$/.test(type) || /^md[\d_]/.test(kname);
