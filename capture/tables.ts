import { typeWord } from '../contract/layout/partition-types.ts';
import type { Partition, Table } from '../contract/layout/schema.ts';
import { type Block, isArray, isPath } from './block.ts';
import { blockAt, type Context, said } from './context.ts';
import { parsed, rowsOf, textOf } from './machine.ts';

/** Partition tables and their partitions. */
export async function captureTables(context: Context): Promise<void> {
  const holders = context.blocks.filter(
    (block) => (block.type === 'disk' && !isPath(block)) || block.type === 'mpath' || isArray(block),
  );
  for (const block of holders) {
    // A file system that begins where a table would be holds none.
    if (block.content && block.children.every(({ type }) => type !== 'part')) continue;
    const { code, stdout, stderr } = await context.machine.run('sfdisk', ['--json', block.path]);
    if (code === 0) captureTable(context, block, stdout);
    else if (block.children.some(({ type }) => type === 'part'))
      context.note(block.id, `the partition table cannot be read: ${stderr.trim().split('\n').at(-1)}`);
  }
}

/** What sfdisk calls them. */
const KINDS: Record<string, Table['type']> = { gpt: 'gpt', dos: 'mbr' };

function captureTable(context: Context, block: Block, json: string): void {
  const found = (parsed(json) as { partitiontable?: Record<string, unknown> } | null)?.partitiontable;
  if (!found) return;
  const kind = KINDS[textOf(found.label)];
  if (!kind) {
    context.note(block.id, `has a partition table of the kind ${found.label}`);
    return;
  }
  const sector = Number(found.sectorsize ?? block.sectorSize) || 512;
  context.layout.tables[block.id] = tableOf(found, kind, sector, block.size);
  for (const row of rowsOf(json, 'partitiontable', 'partitions')) {
    const part = blockAt(context, textOf(row.node));
    const id = part?.id ?? textOf(row.node).replace(/^\/dev\/(?:mapper\/)?/, '');
    context.layout.partitions[id] = partitionOf(row, block.id, kind, sector);
  }
}

function tableOf(found: Record<string, unknown>, type: Table['type'], sector: number, size: number): Table {
  const uuid = textOf(found.id);
  if (type === 'mbr') return said({ type, uuid });
  const entries = Number(found['table-length'] ?? 128);
  // Behind it are the second table and its head.
  const usual = size / sector - 2 - Math.ceil((entries * 128) / sector);
  const last = Number(found.lastlba ?? usual);
  return said({
    type,
    uuid,
    firstUsable: found.firstlba === undefined ? undefined : Number(found.firstlba) * sector,
    lastUsable: last === usual ? undefined : (last + 1) * sector,
    entries: entries === 128 ? undefined : entries,
  });
}

function partitionOf(row: Record<string, unknown>, on: string, kind: Table['type'], sector: number): Partition {
  return said({
    on,
    number: Number(/(\d+)$/.exec(textOf(row.node))?.[1] ?? 0),
    start: Number(row.start) * sector,
    size: Number(row.size) * sector,
    type: typeWord(textOf(row.type), kind),
    uuid: kind === 'gpt' ? textOf(row.uuid) : '',
    name: typeof row.name === 'string' ? row.name : '',
    attributes: textOf(row.attrs).split(/\s+/).filter(Boolean),
    active: row.bootable === true ? true : undefined,
  });
}
