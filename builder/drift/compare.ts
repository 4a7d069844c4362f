import type { LayoutEntry, MachineRecord } from '../../contract/machine-record.ts';
import { BOOT_MOUNTS } from './files.ts';

export interface Drift {
  what: 'layout' | 'kernel' | 'loader' | 'configuration';
  /** A file system's identity, a file's path, a kernel. */
  name: string;
  /** A sentence without its end. */
  change: string;
}

/** What is not as it was. @param was when the medium was made */
export function driftOf(was: MachineRecord, is: MachineRecord): Drift[] {
  return [...layoutDrift(was.layout, is.layout), ...kernelDrift(was, is), ...fileDrift(was, is)];
}

function layoutDrift(was: readonly LayoutEntry[], is: readonly LayoutEntry[]): Drift[] {
  const now = new Map(is.map((entry) => [entry.identity, entry]));
  const before = new Set(was.map(({ identity }) => identity));
  const drift = (entry: LayoutEntry, change: string): Drift => ({ what: 'layout', name: shown(entry), change });
  return [
    ...was.flatMap((entry) => {
      const found = now.get(entry.identity);
      return found ? differences(entry, found).map((change) => drift(found, change)) : drift(entry, 'is gone');
    }),
    ...is.filter(({ identity }) => !before.has(identity)).map((entry) => drift(entry, 'is new')),
  ];
}

const shown = ({ mountpoints, format, identity }: LayoutEntry) => `${mountpoints.join(', ')} (${format}, ${identity})`;

function differences(was: LayoutEntry, is: LayoutEntry): string[] {
  const facts: [string, string, string][] = [
    ['is', was.format, is.format],
    ['belongs on', was.mountpoints.join(', '), is.mountpoints.join(', ')],
    ['has', sizes(was), sizes(is)],
  ];
  return facts.filter(([, one, other]) => one !== other).map(([verb, one, other]) => `${verb} ${other}, it was ${one}`);
}

const sizes = ({ sizes: all }: LayoutEntry) => all.map((size) => `${size} KiB`).join(' + ');

function kernelDrift({ kernel: was }: MachineRecord, { kernel: is }: MachineRecord): Drift[] {
  const drift = (change: string): Drift[] => [{ what: 'kernel', name: is.release, change }];
  if (was.release !== is.release) return drift(`runs, it was ${was.release}`);
  if (was.modules === is.modules) return [];
  return drift(is.modules === null ? 'has lost its modules' : 'has other modules than it had');
}

/** What is below a mount point that is not mounted now, or was not then, cannot be compared. */
function fileDrift(was: MachineRecord, is: MachineRecord): Drift[] {
  const blind = BOOT_MOUNTS.filter((path) => was.mounted.includes(path) !== is.mounted.includes(path));
  const paths = [...new Set([...Object.keys(was.files), ...Object.keys(is.files)])].sort();
  return paths
    .filter((path) => !blind.some((folder) => path.startsWith(`${folder}/`)))
    .filter((path) => was.files[path] !== is.files[path])
    .map((path) => ({
      what: /^\/etc\/(fstab|crypttab|mdadm)/.test(path) ? 'configuration' : 'loader',
      name: path,
      change: was.files[path] === undefined ? 'is new' : is.files[path] === undefined ? 'is gone' : 'has changed',
    }));
}
