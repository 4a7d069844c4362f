import { INHERITED } from '../../contract/settings/fields.ts';
import type { Located } from '../../contract/settings/yaml.ts';

/** What merging asks of a JSON Schema. */
interface Sections {
  type?: unknown;
  properties?: object;
}

/**
 * `own` laid over `base`: what the schema calls an object is a section and merges key by key, everything else replaces.
 * The item `...` of a list stands for the items of `base`; an item that is then in the list twice keeps its last place.
 */
export function merge(base: Located | undefined, own: Located, schema: Sections): Located {
  if (Array.isArray(own.value)) return { ...own, value: expand(own.value, base?.value) };
  if (!(own.value instanceof Map) || schema.type !== 'object') return own;
  const merged = new Map<string, Located>(base?.value instanceof Map ? base.value : []);
  const fields = (schema.properties ?? {}) as Record<string, Sections>;
  for (const [key, child] of own.value) merged.set(key, merge(merged.get(key), child, fields[key] ?? {}));
  return { ...own, value: merged };
}

function expand(items: Located[], inherited: unknown): Located[] {
  if (!items.some(({ value }) => value === INHERITED)) return items;
  const all = items.flatMap((item) => {
    if (item.value !== INHERITED) return item;
    return Array.isArray(inherited) ? (inherited as Located[]) : [];
  });
  const last = new Map(all.map((item, i) => [item.value, i]));
  return all.filter((item, i) => last.get(item.value) === i);
}

/** The same without some keys of the top level. */
export function without(root: Located, keys: readonly string[]): Located {
  const entries = root.value instanceof Map ? [...(root.value as Map<string, Located>)] : [];
  return { ...root, value: new Map(entries.filter(([key]) => !keys.includes(key))) };
}
