import { readFile, realpath } from 'node:fs/promises';
import { hostname } from 'node:os';
import { MindiError } from '../../contract/error.ts';
import { unescapeField } from '../../contract/mountlist-file.ts';
import { type RunOptions, run } from '../run.ts';

/**
 * What this machine says of its storage, word for word, so that a recording is as good as the machine. A source which is
 * not there is null.
 */
export interface HostFacts {
  hostname: string;
  /** Seconds since 1970. */
  time: number;
  /** `lsblk --json --bytes -o` LSBLK_COLUMNS. */
  lsblk: string | null;
  /** `pvs` and `lvs`, both `--reportformat json`. */
  pvs: string | null;
  lvs: string | null;
  /** /proc/self/mountinfo. */
  mountinfo: string | null;
  /** /etc/fstab. */
  fstab: string | null;
  /** /proc/swaps, /proc/partitions, /proc/mdstat. */
  swaps: string | null;
  partitions: string | null;
  mdstat: string | null;
  /** Where the device names in those texts lead: `/dev/disk/by-id/…` and `/dev/vg/lv` to `/dev/sda1`, `/dev/dm-0`. */
  links: Record<string, string>;
  /** Why a program's text is null. */
  failures: Partial<Record<Program, string>>;
}
type Program = 'lsblk' | 'pvs' | 'lvs';

/** All known to util-linux 2.32 (RHEL 8), which has no PATH; the path follows from NAME and KNAME. */
const LSBLK_COLUMNS = 'NAME,KNAME,MAJ:MIN,TYPE,SIZE,RM,TRAN,FSTYPE,LABEL,UUID,PARTLABEL,PARTUUID,PARTTYPE';

/** The warning about inherited descriptors is for people who write LVM. */
const LVM_OPTIONS: RunOptions = { env: { LVM_SUPPRESS_FD_WARNINGS: '1' }, package: 'lvm2' };

/** Asks everything at once; takes as long as the slowest tool (LVM: 0.1 s). Never fails. */
export async function readHostFacts(): Promise<HostFacts> {
  const failures: HostFacts['failures'] = {};
  const program = async (name: Program, args: string[], options: RunOptions) => {
    try {
      return (await run(name, args, { timeout: 30_000, ...options })).stdout;
    } catch (error) {
      if (!(error instanceof MindiError)) throw error;
      failures[name] = error.message;
      return null;
    }
  };
  const lvm = (name: Program, columns: string) =>
    program(name, ['--reportformat', 'json', '--units', 'k', '--nosuffix', '-o', columns], LVM_OPTIONS);
  const [lsblk, pvs, lvs, mountinfo, fstab, swaps, partitions, mdstat] = await Promise.all([
    program('lsblk', ['--json', '--bytes', '-o', LSBLK_COLUMNS], { package: 'util-linux' }),
    lvm('pvs', 'pv_name,pv_uuid,pv_size,vg_name,pv_missing'),
    lvm('lvs', 'lv_name,vg_name,lv_dm_path,lv_layout,lv_role'),
    readText('/proc/self/mountinfo'),
    readText('/etc/fstab'),
    readText('/proc/swaps'),
    readText('/proc/partitions'),
    readText('/proc/mdstat'),
  ]);
  const links = await readLinks([mountinfo, fstab, swaps, pvs]);
  const time = Math.floor(Date.now() / 1000);
  const texts = { lsblk, pvs, lvs, mountinfo, fstab, swaps, partitions, mdstat };
  return { hostname: hostname(), time, ...texts, links, failures };
}

async function readText(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}

async function readLinks(texts: (string | null)[]): Promise<Record<string, string>> {
  const found = texts.flatMap((text) => text?.match(/(?<![^\s"=])\/dev\/[^\s",]+/g) ?? []);
  const names = new Set(found.map(unescapeField));
  const links: Record<string, string> = {};
  await Promise.all(
    [...names].sort().map(async (name) => {
      const target = await realpath(name).catch(() => name);
      if (target !== name) links[name] = target;
    }),
  );
  return Object.fromEntries(Object.entries(links).sort(([a], [b]) => (a < b ? -1 : 1)));
}
