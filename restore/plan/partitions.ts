import { sectorSizeOf } from '../../contract/layout/graph.ts';
import { typeCode } from '../../contract/layout/partition-types.ts';
import type { Layout, Partition, Table } from '../../contract/layout/schema.ts';
import type { Step } from './step.ts';

/** The partition table of a device, all of it by one sfdisk. */
export function partitionSteps(layout: Layout, id: string, node: (id: string) => string): Step[] {
  const table = layout.tables[id] as Table;
  const partitions = Object.entries(layout.partitions)
    .filter(([, { on }]) => on === id)
    .sort(([, one], [, other]) => one.number - other.number);
  const sector = sectorSizeOf(layout, id);
  const lines = [
    ...head(table, sector),
    '',
    ...partitions.map(([part, partition]) => `${node(part)} : ${fields(partition, table, sector)}`),
  ];
  const argv = ['sfdisk', '--quiet', '--wipe', 'always', '--wipe-partitions', 'always', node(id)];
  const makes = partitions.map(([part]) => node(part));
  return [{ kind: 'partition', device: id, argv, input: `${lines.join('\n')}\n`, makes }];
}

function head({ type, uuid, firstUsable, lastUsable, entries }: Table, sector: number): string[] {
  return [
    `label: ${type === 'gpt' ? 'gpt' : 'dos'}`,
    ...(uuid ? [`label-id: ${uuid}`] : []),
    'unit: sectors',
    `sector-size: ${sector}`,
    ...(firstUsable === undefined ? [] : [`first-lba: ${firstUsable / sector}`]),
    ...(lastUsable === undefined ? [] : [`last-lba: ${lastUsable / sector - 1}`]),
    ...(entries === undefined ? [] : [`table-length: ${entries}`]),
  ];
}

function fields(partition: Partition, { type: table }: Table, sector: number): string {
  const { start, size, type = 'linux', uuid, name, attributes = [], active } = partition;
  return [
    start === undefined ? '' : `start=${start / sector}`,
    size === undefined ? '' : `size=${size / sector}`,
    `type=${typeCode(type, table)}`,
    uuid ? `uuid=${uuid}` : '',
    name === undefined ? '' : `name="${escaped(name)}"`,
    attributes.length > 0 ? `attrs="${attributes.join(' ')}"` : '',
    active ? 'bootable' : '',
  ]
    .filter(Boolean)
    .join(', ');
}

/** As sfdisk writes names in its own dumps (fputs_quoted of util-linux): `\x22` for a quote. */
const escaped = (text: string) =>
  text.replace(/["\\`$\x00-\x1f\x7f]/g, (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`);
