import type { Mountlist, MountlistEntry } from './mountlist.ts';
import { escapeField } from './mountlist-file.ts';

const HEADER = ['DEVICE', 'MOUNTPOINT', 'FORMAT', 'SIZE (MB)', 'LABEL/UUID'];

/**
 * The classic screen table: `%-15s` columns, a longer name pushes the rest of its line, sizes as `%7s` MiB. The last
 * column is the label, or the UUID of what has no label.
 */
export function mountlistTable(mountlist: Mountlist): string {
  return [HEADER, ...mountlist.entries.map(cells)].map(line).join('\n');
}

function cells(entry: MountlistEntry): string[] {
  const size = entry.size === 'lvm' ? 'lvm' : `${Math.floor(entry.size / 1024)}`;
  const fields = [entry.device, entry.mountpoint, entry.format].map(escapeField);
  return [...fields, size.padStart(7), escapeField(entry.label ?? entry.uuid ?? '')];
}

function line(row: string[]): string {
  return row
    .map((cell) => cell.padEnd(15))
    .join(' ')
    .trimEnd();
}
