import { isUsb } from './block-devices.ts';
import { findVolumes, openOnDisk } from './disks.ts';
import type { SourceKind } from './source.ts';

const isInside = (device: string) => !isUsb(device);

/** Disks of this machine: a directory or ISO files on a partition or a logical volume. */
export const disk: SourceKind = {
  schemes: ['disk'],
  name: 'Disk of this machine',
  about: 'a directory, or one with ISO files, on a disk (disk:/dev/sda3/backup, disk:LABEL=data/backup, disk:UUID=…)',
  find: (context) => findVolumes(context, 'disk', isInside),
  open: (address, context) =>
    openOnDisk(context, address, {
      what: 'a disk with restore data',
      wanted: isInside,
      hidden: ({ person }) => !person.there,
    }),
};
