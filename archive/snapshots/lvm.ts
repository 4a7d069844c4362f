import { run } from '../../builder/run.ts';
import { MindiError } from '../../contract/error.ts';
import type { Command, SnapshotKind } from './kind.ts';

/** Of the origin: what may change while a snapshot is read, and the least that makes sense. */
const USUAL_PART = 0.2;
const LEAST_PART = 0.02;
/** Percent; a thin pool that is fuller soon stops everything that writes to it. */
const FULL = 95;

const COLUMNS =
  'lv_name,vg_name,lv_dm_path,lv_kernel_major,lv_kernel_minor,lv_size,pool_lv,segtype,vg_free,vg_extent_size,lv_attr,data_percent';
type Volume = Record<
  | 'lv_name'
  | 'vg_name'
  | 'lv_dm_path'
  | 'lv_kernel_major'
  | 'lv_kernel_minor'
  | 'lv_size'
  | 'pool_lv'
  | 'segtype'
  | 'vg_free'
  | 'vg_extent_size'
  | 'lv_attr'
  | 'data_percent',
  string
>;

/** Logical volumes: thin ones, and others where their group has room. lvs(8), lvmthin(7). */
export const lvm: SnapshotKind = {
  name: 'lvm',
  look: async ({ number, format }) => {
    const all = await volumes();
    const volume = all.find((one) => `${one.lv_kernel_major}:${one.lv_kernel_minor}` === number);
    if (!volume) return null;
    const size = volume.segtype === 'thin' ? sizeOfThin(volume, all) : sizeOfClassic(volume);
    if (typeof size === 'string') return size;
    return async (name) => {
      const origin = `${volume.vg_name}/${volume.lv_name}`;
      await lvmCommand('lvcreate', [
        '--yes',
        '--snapshot',
        '--setactivationskip',
        'n',
        '--name',
        name,
        ...size,
        origin,
      ]);
      const own = `${volume.vg_name}/${name}`;
      const path = (await volumes(own))[0]?.lv_dm_path ?? `/dev/${own}`;
      // Two XFS with one UUID are not mounted at once without being told.
      const options = format === 'xfs' ? 'noatime,nouuid' : 'noatime';
      return { mount: ['-t', format, '-o', options, path], remove: remove(own), problem: () => problem(own) };
    };
  },
  leftOvers: async (mark) => {
    const found = await volumes();
    return found
      .filter(({ lv_name }) => lv_name.startsWith(mark))
      .map((one) => remove(`${one.vg_name}/${one.lv_name}`));
  },
};

const remove = (volume: string): Command => ['lvremove', '--yes', '--force', volume];

async function volumes(...which: string[]): Promise<Volume[]> {
  try {
    const words = ['--reportformat', 'json', '--units', 'b', '--nosuffix', '-o', COLUMNS, ...which];
    const { stdout } = await lvmCommand('lvs', words);
    return (JSON.parse(stdout) as { report: { lv: Volume[] }[] }).report.flatMap(({ lv }) => lv);
  } catch (error) {
    if (error instanceof MindiError && error.code === 'tool.missing') return [];
    throw error;
  }
}

/** The warning about inherited descriptors is for people who write LVM. */
const lvmCommand = (program: string, words: string[]) =>
  run(program, words, { env: { LVM_SUPPRESS_FD_WARNINGS: '1' }, package: 'lvm2' });

/** It takes what it needs of the pool. */
function sizeOfThin({ vg_name, pool_lv }: Volume, all: readonly Volume[]): string[] | string {
  const pool = all.find((one) => one.vg_name === vg_name && one.lv_name === pool_lv);
  const used = Number(pool?.data_percent);
  return used > FULL ? `the thin pool ${vg_name}/${pool_lv} is ${used} % full` : [];
}

function sizeOfClassic({ vg_name, lv_size, vg_free, vg_extent_size }: Volume): string[] | string {
  const [extent, free, size] = [Number(vg_extent_size), Number(vg_free), Number(lv_size)];
  const extents = Math.min(Math.floor(free / extent), Math.ceil((USUAL_PART * size) / extent));
  if (extents > 0 && extents * extent >= LEAST_PART * size) return ['--extents', String(extents)];
  return `the volume group ${vg_name} has no room for a snapshot: ${Math.floor(free / 1e6)} MB are free`;
}

/** lvs(8), lv_attr: the fifth letter. */
async function problem(volume: string): Promise<string | undefined> {
  const [found] = await volumes(volume);
  if (found && !/^....[ISF]/.test(found.lv_attr)) return undefined;
  return `the snapshot ${volume} ran full: more was changed than it has room for`;
}
