import { VOLUME_KINDS, type Volume } from '../contract/layout/schema.ts';
import { blockAt, type Context, positive, said } from './context.ts';
import { rowsOf, textOf } from './machine.ts';

const PV = 'pv_name,pv_uuid,vg_name,pe_start,pv_mda_count,pv_missing';
const VG = 'vg_name,vg_uuid,vg_extent_size,max_lv,max_pv,vg_tags,vg_missing_pv_count';
const LV = [
  'vg_name,lv_name,lv_size,segtype,stripes,data_stripes,stripe_size,region_size,chunk_size,lv_metadata_size,pool_lv',
  'origin,discards,zero,cache_mode,cache_policy,lv_permissions,lv_tags,devices',
].join(',');

type Row = Record<string, unknown>;

/** Groups, physical and logical volumes. */
export async function captureLvm(context: Context): Promise<void> {
  if (!context.blocks.some(({ content, type }) => content === 'LVM2_member' || type === 'lvm')) return;
  const ask = async (program: 'pvs' | 'vgs' | 'lvs', kind: string, columns: string) => {
    const all = program === 'lvs' ? ['-a'] : [];
    const args = [...all, '--reportformat', 'json', '--units', 'b', '--nosuffix', '-o', columns];
    const { stdout, code, stderr } = await context.machine.run(program, args);
    if (code !== 0) context.note('LVM', `${program} failed: ${stderr.trim().split('\n').at(-1)}`);
    return rowsOf(stdout, 'report').flatMap((report) => rowsOf(JSON.stringify(report), kind));
  };
  const [pvs, vgs, lvs] = [await ask('pvs', 'pv', PV), await ask('vgs', 'vg', VG), await ask('lvs', 'lv', LV)];
  for (const row of vgs) captureGroup(context, row);
  for (const row of pvs) capturePhysical(context, row);
  nameVolumes(context, lvs);
  captureVolumes(context, lvs);
}

function captureGroup({ layout, note }: Context, row: Row): void {
  const name = textOf(row.vg_name);
  layout.groups[name] = said({
    uuid: textOf(row.vg_uuid),
    extentSize: positive(row.vg_extent_size),
    maxVolumes: positive(row.max_lv),
    maxPhysicalVolumes: positive(row.max_pv),
    tags: listOf(row.vg_tags),
  });
  if (Number(row.vg_missing_pv_count) > 0) note(name, `${row.vg_missing_pv_count} of its physical volumes are missing`);
}

const listOf = (value: unknown) => textOf(value).split(',').filter(Boolean);

function capturePhysical(context: Context, row: Row): void {
  const block = blockAt(context, textOf(row.pv_name));
  if (!block) return;
  const copies = Number(row.pv_mda_count ?? 1);
  context.layout.physicalVolumes[block.id] = said({
    group: textOf(row.vg_name),
    uuid: textOf(row.pv_uuid),
    dataStart: positive(row.pe_start),
    metadataCopies: copies === 1 ? undefined : copies,
  });
}

/** From now on the ids of volumes are GROUP/NAME: LVM knows where one ends, names of device-mapper double hyphens. */
function nameVolumes({ blocks }: Context, rows: readonly Row[]): void {
  const doubled = (text: string) => text.replaceAll('-', '--');
  for (const row of rows) {
    const [group, name] = [textOf(row.vg_name), textOf(row.lv_name)];
    const block = blocks.find((one) => one.type === 'lvm' && one.id === `${doubled(group)}-${doubled(name)}`);
    if (block) block.id = `${group}/${name}`;
  }
}

/** Why a kind of volume is left out. */
const LEFT_OUT: Record<string, string> = {
  snapshot: 'is a snapshot, which a restore does not bring back',
  vdo: 'is deduplicated by VDO, which this layout cannot say',
  'vdo-pool': 'is a pool of VDO, which this layout cannot say',
  writecache: 'is behind a writecache, which this layout cannot say',
};

function captureVolumes(context: Context, rows: readonly Row[]): void {
  const byId = Map.groupBy(rows, (row) => `${textOf(row.vg_name)}/${textOf(row.lv_name)}`);
  for (const [id, segments] of byId) {
    const [row] = segments;
    // Parts of other volumes stand in brackets.
    if (!row || /\/\[/.test(id)) continue;
    const volume = textOf(row.segtype) === 'cache' ? cached(byId, row) : volumeOf(context, segments);
    if (typeof volume === 'string') context.note(id, volume);
    else context.layout.volumes[id] = volume;
  }
}

type Rows = Map<string, Row[]>;
const part = (rows: Rows, row: Row, name: string) =>
  rows.get(`${textOf(row.vg_name)}/[${name}]`) ?? rows.get(`${textOf(row.vg_name)}/${name}`) ?? [];
const bare = (name: unknown) => textOf(name).replace(/^\[|\]$/g, '');

function volumeOf(context: Context, segments: readonly Row[]): Volume | string {
  const [row] = segments as [Row];
  const kind = textOf(row.segtype) as NonNullable<Volume['kind']>;
  if (textOf(row.origin) && kind === 'linear') return LEFT_OUT.snapshot as string;
  if (!VOLUME_KINDS.includes(kind)) return LEFT_OUT[kind] ?? `is of the kind ${kind}, which this layout cannot say`;
  const id = `${textOf(row.vg_name)}/${textOf(row.lv_name)}`;
  const shapes = new Set(segments.map(({ segtype, stripes }) => `${segtype} ${stripes}`));
  if (shapes.size > 1) context.note(id, 'has parts of several kinds; a restore makes it of the first');
  if (kind === 'thin' && textOf(row.origin))
    context.note(id, `is a thin snapshot of ${bare(row.origin)}; a restore makes it a volume of its own`);
  const pool = kind === 'thin-pool';
  return said({
    group: textOf(row.vg_name),
    kind: kind === 'linear' ? undefined : kind,
    size: Number(row.lv_size),
    ...(pool || kind === 'thin' ? {} : shapeOf(kind, row)),
    on: kind === 'linear' || kind === 'striped' ? placement(context, segments) : [],
    pool: kind === 'thin' ? `${textOf(row.vg_name)}/${bare(row.pool_lv)}` : undefined,
    chunk: pool ? positive(row.chunk_size) : undefined,
    metadataSize: pool ? positive(row.lv_metadata_size) : undefined,
    discards: pool ? textOf(row.discards) : undefined,
    zero: pool && !/^(zero|1)$/.test(textOf(row.zero)) ? false : undefined,
    readOnly: (!pool && textOf(row.lv_permissions) === 'read-only') || undefined,
    tags: listOf(row.lv_tags),
  });
}

function shapeOf(kind: string, row: Row): Partial<Volume> {
  const data = positive(row.data_stripes) ?? 1;
  const copies = kind === 'raid10' ? 1 : (positive(row.stripes) ?? 1) - 1;
  const mirrored = ['mirror', 'raid1', 'raid10'].includes(kind);
  return said({
    stripes: ['striped', 'raid0', 'raid4', 'raid5', 'raid6', 'raid10'].includes(kind) ? data : undefined,
    stripeSize: positive(row.stripe_size),
    mirrors: mirrored ? copies : undefined,
    regionSize: positive(row.region_size),
  });
}

/** The physical volumes it lies on, where its group has others, too. */
function placement(context: Context, segments: readonly Row[]): string[] {
  const paths = segments.flatMap(({ devices }) => textOf(devices).split(',')).map((one) => one.replace(/\(\d+\)$/, ''));
  const ids = [...new Set(paths)].flatMap((path) => blockAt(context, path)?.id ?? []);
  const group = textOf(segments[0]?.vg_name);
  const all = Object.values(context.layout.physicalVolumes).filter((one) => one.group === group);
  return ids.length < all.length ? ids : [];
}

/** A volume behind a cache is what it was before, with the cache beside it. */
function cached(rows: Rows, row: Row): Volume | string {
  const [origin] = part(rows, row, bare(row.origin) || `${textOf(row.lv_name)}_corig`);
  const [cache] = part(rows, row, bare(row.pool_lv));
  if (!origin || !cache) return 'is behind a cache of which LVM says nothing';
  const kind = textOf(origin.segtype) as NonNullable<Volume['kind']>;
  const name = bare(row.pool_lv);
  const pool = textOf(cache.segtype) === 'cache-pool';
  return said({
    group: textOf(row.vg_name),
    kind: kind === 'linear' ? undefined : kind,
    size: Number(row.lv_size),
    ...shapeOf(kind, origin),
    cache: said({
      name: name.replace(/_(?:cvol|cpool)$/, ''),
      size: Number(cache.lv_size),
      pool: pool || undefined,
      chunk: positive(row.chunk_size) ?? positive(cache.chunk_size),
      mode: textOf(row.cache_mode) || textOf(cache.cache_mode),
      policy: textOf(row.cache_policy) || textOf(cache.cache_policy),
    }),
  });
}
