import { ARRAY_LEVELS, type MdArray } from '../contract/layout/schema.ts';
import { isArray } from './block.ts';
import { blockAt, type Context, positive, said } from './context.ts';
import { linesOf } from './machine.ts';

/** Software RAID: what mdadm says of each array that runs. */
export async function captureArrays(context: Context): Promise<void> {
  const members = new Set<string>();
  for (const block of context.blocks.filter(isArray)) {
    const exported = await context.machine.run('mdadm', ['--detail', '--export', block.path]);
    const detail = await context.machine.run('mdadm', ['--detail', block.path]);
    if (exported.code !== 0) {
      context.note(block.id, 'is an array that mdadm says nothing of');
      continue;
    }
    const version = (await context.machine.read(`/sys/block/${block.kname}/md/metadata_version`)) ?? '';
    const container = /^external:\/(md[^/]+)\//.exec(version)?.[1];
    const array = arrayOf(context, linesOf(exported.stdout, /=/), linesOf(detail.stdout, / : /), container);
    if (typeof array === 'string') context.note(block.id, array);
    else {
      context.layout.arrays[block.id] = array;
      for (const member of [...array.members, ...(array.spares ?? [])]) members.add(member);
      explain(context, block.id, array, linesOf(detail.stdout, / : /));
    }
  }
  for (const { id, content } of context.blocks)
    if (content.endsWith('_raid_member') && !members.has(id))
      context.note(id, 'is a member of an array that does not run, of which nothing is known');
}

function arrayOf(
  context: Context,
  facts: Map<string, string>,
  detail: Map<string, string>,
  container: string | undefined,
): MdArray | string {
  const level = (facts.get('MD_LEVEL') ?? '') as MdArray['level'];
  if (!ARRAY_LEVELS.includes(level)) return `is an array of the level ${level}`;
  const roles = [...facts].flatMap(([key, role]) => {
    const path = /^MD_DEVICE_.*_ROLE$/.test(key) ? facts.get(key.replace(/_ROLE$/, '_DEV')) : undefined;
    return path ? [{ role, id: blockAt(context, path)?.id ?? path.replace('/dev/', '') }] : [];
  });
  const slots = Number(facts.get('MD_DEVICES') ?? roles.length);
  const members = Array.from(
    { length: slots },
    (_, slot) => roles.find(({ role }) => role === String(slot))?.id ?? 'missing',
  );
  const spares = roles.filter(({ role }) => role === 'spare').map(({ id }) => id);
  const others = said({
    spares: level === 'container' || container ? [] : spares,
    container,
    metadata: facts.get('MD_METADATA') ?? detail.get('Version'),
    chunk: kibibytes(detail.get('Chunk Size') ?? detail.get('Rounding')),
    layout: detail.get('Layout'),
    bitmap: bitmapOf(level, detail),
    uuid: facts.get('MD_UUID'),
    name: facts.get('MD_NAME'),
  });
  // All disks of a container are spares to mdadm.
  return { level, members: level === 'container' ? spares : container ? [] : members, ...others };
}

/** `512K` in bytes. */
function kibibytes(text: string | undefined): number | undefined {
  const number = positive(text);
  return number === undefined ? undefined : number * (/M/.test(text ?? '') ? 2 ** 20 : 1024);
}

function bitmapOf(level: string, detail: Map<string, string>): string | undefined {
  if (['raid0', 'linear', 'container'].includes(level)) return undefined;
  const bitmap = detail.get('Intent Bitmap');
  if (!bitmap) return 'none';
  return bitmap.toLowerCase().replace(/\W.*$/, '');
}

function explain(context: Context, id: string, array: MdArray, detail: Map<string, string>): void {
  const policy = detail.get('Consistency Policy') ?? '';
  if (policy === 'journal' || policy === 'ppl')
    context.note(id, `keeps itself consistent by a ${policy}, which is left out`);
  if (array.level === 'container')
    context.note(
      id,
      `is a container of ${array.metadata} disks: the firmware of the new machine must know that format`,
    );
  if (detail.has('Reshape Status')) context.note(id, 'is being reshaped: capture it again when that is done');
}
