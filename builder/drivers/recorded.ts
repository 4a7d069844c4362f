import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ModuleTree } from 'node-kmod-deps';

/**
 * What modules said of themselves before they were thrown away: modinfo.tsv beside the modules.* files. Tab-separated
 * with a line of column names; of these only the ones below are read, and any may be missing.
 */
export const RECORD = 'modinfo.tsv';

export interface RecordedModule {
  /** Bytes, decompressed; null where the record does not say. */
  size: number | null;
  firmware: string[];
  weakdeps: string[];
  /** Symbols it imports; null where the record does not say. */
  imports: string[] | null;
}

const COLUMNS = ['name', 'uncompressed_bytes', 'weakdep', 'firmware', 'imports'] as const;
const SEPARATOR = '|';

const records = new WeakMap<ModuleTree, ReadonlyMap<string, RecordedModule>>();

/** By module; empty for a tree that has no such record. */
export function recordedModules(tree: ModuleTree): ReadonlyMap<string, RecordedModule> {
  const known = records.get(tree);
  if (known) return known;
  const record = tree.directory === null ? '' : textOf(join(tree.directory, RECORD));
  const read = parseRecord(record);
  records.set(tree, read);
  return read;
}

/** The text of a record. */
export function formatRecord(modules: ReadonlyMap<string, RecordedModule>): string {
  const rows = [...modules].map(([name, { size, weakdeps, firmware, imports }]) => [
    name,
    size === null ? '' : String(size),
    ...[weakdeps, firmware, imports ?? []].map((list) => list.join(SEPARATOR)),
  ]);
  return [COLUMNS, ...rows].map((row) => `${row.join('\t')}\n`).join('');
}

function parseRecord(text: string): Map<string, RecordedModule> {
  const [head = '', ...lines] = text.split('\n');
  const titles = head.split('\t');
  const [name = -1, size = -1, weakdep = -1, firmware = -1, imports = -1] = COLUMNS.map((title) =>
    titles.indexOf(title),
  );
  if (name < 0) return new Map();
  const words = (field = '') => field.split(SEPARATOR).filter(Boolean);
  const entries = lines.filter(Boolean).map((line): [string, RecordedModule] => {
    const fields = line.split('\t');
    const bytes = fields[size] ?? '';
    return [
      fields[name] ?? '',
      {
        size: /^\d+$/.test(bytes) ? Number(bytes) : null,
        firmware: words(fields[firmware]),
        weakdeps: words(fields[weakdep]).flatMap((value) => value.split(/\s+/)),
        imports: imports < 0 ? null : words(fields[imports]),
      },
    ];
  });
  return new Map(entries);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
