import type { StorageDevice } from '../../contract/storage.ts';
import { attribute } from '../devices.ts';
import type { StorageContext } from './context.ts';

/** Disks that are one disk, reached over several paths: told by their world wide name. */
export function samePaths(disks: readonly { name: string; wwid: string }[]): string[][] {
  const known = disks.filter(({ wwid }) => wwid !== '');
  const groups = [...Map.groupBy(known, ({ wwid }) => wwid).values()].filter((some) => some.length > 1);
  return groups.map((some) => some.map(({ name }) => name));
}

/** Nothing joins paths here; whoever uses the disks should know. */
export function tellPaths(storage: StorageContext, devices: readonly StorageDevice[]): void {
  const disks = devices
    .filter(({ kind }) => kind === 'disk')
    .map(({ name }) => ({
      name,
      wwid: attribute('/sys/class/block', name, 'device/wwid') || attribute('/sys/class/block', name, 'wwid'),
    }));
  for (const names of samePaths(disks)) {
    const others = names.slice(1).map((name) => `/dev/${name}`);
    storage.problem(
      `${names.map((name) => `/dev/${name}`).join(' and ')} are paths to one disk (multipath). Use one of them; excludedevs=${others.join(',')} hides the rest.`,
    );
  }
}
