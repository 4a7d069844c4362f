import { Document, isMap, isScalar, isSeq, type Node, parseDocument, visit, type YAMLMap } from 'yaml';
import { check } from '../settings/check.ts';
import { together } from '../settings/problems.ts';
import { type Located, nodeAt, parseYaml, plain, readYaml } from '../settings/yaml.ts';
import { layoutProblems } from './check.ts';
import { emptyLayout, type Layout, LayoutSchema } from './schema.ts';
import { parseSize, SIZE_PATTERN, sizeText } from './size.ts';

const KIND = 'layout';
/** Thousands of volumes are a few MiB. */
const LIMITS = { bytes: 32 << 20, values: 1_000_000 };

/**
 * Reads a layout: YAML, or JSON, which is YAML.
 * @throws MindiError `layout.*` with every problem at its file:line:column
 */
export async function readLayout(file: string, name?: string): Promise<Layout> {
  return understood(await readYaml(file, KIND, name, LIMITS), name ?? file);
}

/** The same of a text. */
export function parseLayout(text: string, name: string): Layout {
  return understood(parseYaml(text, KIND, name, LIMITS.values), name);
}

function understood(root: Located, name: string): Layout {
  const wrong = check(root, LayoutSchema, KIND);
  if (wrong.length > 0) throw together(wrong, name, 'layout.invalid');
  const layout = { ...emptyLayout(), ...(eachSize(plain(root), LayoutSchema, parseSize) as object) } as Layout;
  const problems = layoutProblems(layout, (path) => nodeAt(root, path).place);
  if (problems.length > 0) throw together(problems, name, 'layout.invalid');
  return layout;
}

interface AnySchema {
  pattern?: string;
  items?: unknown;
  properties?: Record<string, unknown>;
  additionalProperties?: unknown;
}

/** A value with everything its schema calls a size turned. */
function eachSize(value: unknown, schema: unknown, turn: (size: string | number) => string | number): unknown {
  const { pattern, items, properties = {}, additionalProperties } = (schema ?? {}) as AnySchema;
  if (pattern === SIZE_PATTERN) return turn(value as string | number);
  if (Array.isArray(value)) return items ? value.map((item) => eachSize(item, items, turn)) : value;
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([key, child]) => [
    key,
    eachSize(child, Object.hasOwn(properties, key) ? properties[key] : additionalProperties, turn),
  ]);
  return Object.fromEntries(entries);
}

const HEAD = `# The disks of a machine and what is on them; docs/layout.md says what the words mean.
# Sizes are bytes, or KiB, MiB, GiB, TiB.
`;

/** What is not said: sections without entries. */
const withoutEmpty = (layout: Layout) =>
  Object.fromEntries(
    Object.entries(layout).filter(([, value]) => typeof value !== 'object' || Object.keys(value).length > 0),
  );

/**
 * Writes a layout as YAML, a line for a short entry. `parseLayout` gives the same layout back.
 * @param before the file as it was, perhaps edited: its comments and the order of its lines stay where what they stand at does
 */
export function formatLayout(layout: Layout, before?: string): string {
  const value = eachSize(withoutEmpty(layout), LayoutSchema, (bytes) => sizeText(Number(bytes)));
  if (before === undefined) return HEAD + shown(value);
  const document = parseDocument(before, { schema: 'core' });
  if (document.errors.length > 0 || !isMap(document.contents)) return HEAD + shown(value);
  mergeMap(document.contents as YAMLMap, value as Record<string, unknown>);
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

/** Longest entry that is written on one line. */
const SHORT = 100;

function shown(value: unknown): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Collection: (_key, node, path) => {
      const deep = path.filter((one) => isMap(one) || isSeq(one)).length;
      if (deep >= 2 && JSON.stringify(node.toJSON()).length <= SHORT) node.flow = true;
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

function mergeMap(map: YAMLMap, value: Readonly<Record<string, unknown>>): void {
  for (const { key } of [...map.items])
    if (!Object.hasOwn(value, String(isScalar(key) ? key.value : key))) map.delete(key);
  for (const [key, wanted] of Object.entries(value)) {
    const pair = map.items.find((one) => String(isScalar(one.key) ? one.key.value : one.key) === key);
    const now = pair?.value as Node | null | undefined;
    if (!pair) map.add({ key, value: fresh(wanted) });
    else if (isMap(now) && wanted !== null && typeof wanted === 'object' && !Array.isArray(wanted))
      mergeMap(now as YAMLMap, wanted as Record<string, unknown>);
    else if (isScalar(now) && typeof wanted !== 'object') now.value = sameSize(now.value, wanted) ? now.value : wanted;
    else if (JSON.stringify((now as Node | null)?.toJSON()) !== JSON.stringify(wanted)) pair.value = fresh(wanted);
  }
}

/** `1024MiB` stays as somebody wrote it. */
function sameSize(now: unknown, wanted: unknown): boolean {
  if (now === wanted) return true;
  return [now, wanted].every((one) => typeof one === 'number' || typeof one === 'string')
    ? parseSize(now as string) === parseSize(wanted as string)
    : false;
}

const fresh = (value: unknown): unknown => parseDocument(shown(value)).contents;
