import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import type { StorageDevice } from '../../contract/storage.ts';
import { busybox, complaint, findProgram, run } from '../process.ts';
import { OUR_LAYERS } from './block-devices.ts';
import type { StorageContext } from './context.ts';
import { layerNode, overlay, removeOverlay } from './overlay.ts';

/** Overrides lvm.conf, for whatever starts lvm. man 5 lvm.conf */
const CONFIG = '/etc/lvm/lvmlocal.conf';

/** Kinds of volumes the kernel starts without writing to their disks. */
const QUIET = new Set(['linear', 'striped', 'error', 'zero']);

interface Group {
  name: string;
  exported: boolean;
  missing: number;
  /** Device nodes. */
  disks: string[];
  kinds: Set<string>;
  /** `group/volume`, without the pools others are in. */
  volumes: string[];
}

/** What lvm must not touch, and which groups it starts read-only. */
interface Limits {
  rejected: readonly string[];
  readOnly: readonly string[];
  /** Whether LVM's metadata must not be written. */
  guarded: boolean;
}

/**
 * Starts the volume groups, read-only: neither data nor LVM's metadata are written.
 * @param fresh those of the devices that were not there when it was called before
 * @returns whether there was anything to start
 */
export async function activateVolumes(
  storage: StorageContext,
  devices: readonly StorageDevice[],
  fresh: readonly StorageDevice[] = devices,
): Promise<boolean> {
  const physical = devices.filter(isPhysical);
  if (!fresh.some(isPhysical)) return false;
  const lvm = findProgram('lvm');
  if (!lvm) {
    storage.problem('There are LVM volumes on this machine, and lvm is not on the medium.');
    return false;
  }
  await storage.modules.loadAll(['dm_mod']);
  // What is not known to be LVM's is not looked at: it may hang, or be a part of something else.
  const rejected = devices
    .filter((one) => (!physical.includes(one) && one.kind !== 'volume') || existsSync(layerNode(one)))
    .map(({ device }) => device);
  writeConfig({ rejected, readOnly: [], guarded: true });
  const groups = await findGroups(lvm);
  const covered = await coverNoisy(storage, groups, physical);
  const guarded = groups.filter(({ disks }) => !disks.every((disk) => isWritable(disk, devices)));
  // A pool that is read-only for LVM cannot be started: what is covered is protected by its layer.
  const readOnly = guarded.filter(({ disks }) => !disks.some((disk) => covered.includes(disk)));
  writeConfig({
    rejected: [...rejected, ...covered],
    readOnly: readOnly.map(({ name }) => name),
    guarded: guarded.length > 0,
  });
  for (const group of groups) await activate(storage, lvm, group);
  for (const group of guarded) if (!readOnly.includes(group)) await protect(group);
  return true;
}

const isPhysical = ({ content }: StorageDevice): boolean => content?.type === 'LVM2_member';

const isWritable = (disk: string, devices: readonly StorageDevice[]): boolean =>
  devices.find(({ device }) => device === disk)?.writable === true;

/** What a person writes shall be refused, and not be lost in a layer. */
async function protect({ volumes }: Group): Promise<void> {
  const nodes = volumes.map((volume) => `/dev/${volume}`).filter((node) => existsSync(node));
  for (const node of nodes) await busybox(['blockdev', '--setro', node]);
}

/** Groups whose start writes get layers in RAM. Returns the disks that are covered by them. */
async function coverNoisy(
  storage: StorageContext,
  groups: readonly Group[],
  physical: readonly StorageDevice[],
): Promise<string[]> {
  const noisy = groups.filter(({ kinds }) => [...kinds].some((kind) => !QUIET.has(kind)));
  const disks = new Set(noisy.flatMap((group) => group.disks));
  const guarded = physical.filter(({ device, writable }) => disks.has(device) && !writable);
  for (const disk of guarded) await overlay(storage, disk);
  return guarded.map(({ device }) => device);
}

async function activate(storage: StorageContext, lvm: string, { name, exported, missing }: Group): Promise<void> {
  if (exported) {
    storage.problem(`The LVM group ${name} is not started: it was exported to be moved to another machine.`);
    return;
  }
  const result = await run(lvm, ['vgchange', '--activate', 'y', name]);
  if (missing > 0) storage.problem(`The LVM group ${name} lacks ${missing} of its disks.`);
  if (result.code !== 0)
    storage.problem(`The LVM group ${name} is not started as a whole: ${complaint(result).trim().replace(/\.$/, '')}.`);
}

/** Stops a group, lets go of the layers over its disks, and starts it again as the guard now allows. */
export async function restartGroup(
  storage: StorageContext,
  name: string,
  devices: readonly StorageDevice[],
): Promise<boolean> {
  const lvm = findProgram('lvm') ?? 'lvm';
  const stopped = await run(lvm, ['vgchange', '--activate', 'n', name]);
  if (stopped.code !== 0) {
    storage.problem(`The LVM group ${name} is in use: ${complaint(stopped).trim().replace(/\.$/, '')}.`);
    return false;
  }
  for (const disk of devices.filter(isPhysical)) await removeOverlay(disk);
  await activateVolumes(storage, devices);
  return true;
}

interface FullReport {
  report: {
    vg: { vg_name: string; vg_missing_pv_count: string; vg_exported: string }[];
    pv: { pv_name: string }[];
    seg: { lv_name: string; segtype: string }[];
  }[];
}

async function findGroups(lvm: string): Promise<Group[]> {
  const reports = {
    vg: 'vg_name,vg_missing_pv_count,vg_exported',
    pv: 'pv_name',
    lv: 'lv_name',
    pvseg: 'pv_name',
    seg: 'lv_name,segtype',
  };
  const wanted = Object.entries(reports).flatMap(([report, fields]) => ['--configreport', report, '-o', fields]);
  const { stdout } = await run(lvm, ['fullreport', '--all', '--reportformat', 'json', ...wanted]);
  const { report } = stdout.trim() ? (JSON.parse(stdout) as FullReport) : { report: [] };
  return report.flatMap(({ vg: [group], pv, seg }) =>
    group?.vg_name
      ? {
          name: group.vg_name,
          exported: group.vg_exported !== '',
          missing: Number(group.vg_missing_pv_count),
          disks: pv.map(({ pv_name }) => pv_name.replace(`/dev/mapper/${OUR_LAYERS}`, '/dev/')),
          kinds: new Set(seg.map(({ segtype }) => segtype)),
          volumes: seg
            .filter(({ segtype }) => !segtype.endsWith('-pool'))
            .map(({ lv_name }) => `${group.vg_name}/${lv_name}`),
        }
      : [],
  );
}

/** Whatever starts lvm from now on, a person too, gets no udev, no daemons, no backups in /etc, and the guard's limits. */
function writeConfig({ rejected, readOnly, guarded }: Limits): void {
  const list = (words: readonly string[]) => `[ ${words.map((word) => JSON.stringify(word)).join(', ')} ]`;
  const filter = [...rejected.map((device) => `r|^${device.replaceAll(/[.+|]/g, '\\$&')}$|`), 'a|.*|'];
  const sections = {
    devices: {
      use_devicesfile: 0,
      obtain_device_list_from_udev: 0,
      external_device_info_source: '"none"',
      filter: list(filter),
    },
    activation: {
      ...{ udev_sync: 0, udev_rules: 0, verify_udev_operations: 0, monitoring: 0 },
      ...(readOnly.length > 0 ? { read_only_volume_list: list(readOnly) } : {}),
    },
    global: {
      ...{ use_lvmlockd: 0, use_lvmpolld: 0, event_activation: 0, metadata_read_only: guarded ? 1 : 0 },
      thin_check_options: '[ "-q" ]',
    },
    backup: { backup: 0, archive: 0 },
  };
  const text = Object.entries(sections).map(
    ([name, settings]) =>
      `${name} {\n${Object.entries(settings)
        .map(([key, value]) => `  ${key} = ${value}\n`)
        .join('')}}\n`,
  );
  mkdirSync('/etc/lvm', { recursive: true });
  writeFileSync(CONFIG, `# Written by mindi: docs/storage.md\n${text.join('')}`);
}
