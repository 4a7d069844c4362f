import { entry } from './graph.ts';
import type { Layout } from './schema.ts';

/**
 * The device node of a partition, as the kernel names it (disk_name in block/genhd.c): a `p` between where the name of the
 * disk ends with a digit. Names of device-mapper get `-part`, as kpartx and udev do it.
 */
export function partitionNode(disk: string, number: number): string {
  if (disk.startsWith('/dev/mapper/')) return `${disk}-part${number}`;
  return `${disk}${/\d$/.test(disk) ? 'p' : ''}${number}`;
}

/** Where a disk with that id is: `cciss!c0d0` is below a folder. */
export function diskNode(id: string, multipath: boolean): string {
  return multipath ? `/dev/mapper/${id}` : `/dev/${id.replaceAll('!', '/')}`;
}

/**
 * Device nodes of everything in a layout.
 * @param disks ids of the layout to the nodes of the disks it is made on
 */
export function nodesOf(layout: Layout, disks: ReadonlyMap<string, string>): (id: string) => string {
  const nodes = new Map<string, string>();
  const find = (id: string): string => {
    const partition = entry(layout.partitions, id);
    if (partition) return partitionNode(nodeOf(partition.on), partition.number);
    if (Object.hasOwn(layout.arrays, id)) return /^md[\d_]/.test(id) ? `/dev/${id}` : `/dev/md/${id}`;
    if (Object.hasOwn(layout.encrypted, id)) return `/dev/mapper/${id}`;
    if (Object.hasOwn(layout.volumes, id)) return `/dev/${id}`;
    return disks.get(id) ?? diskNode(id, Boolean(entry(layout.disks, id)?.multipath));
  };
  const nodeOf = (id: string) => {
    const node = nodes.get(id) ?? find(id);
    nodes.set(id, node);
    return node;
  };
  return nodeOf;
}
