/** A device by its name of old, taken apart by the rules the kernel names partitions by. */
export interface NamedDevice {
  kind: 'disk' | 'partition' | 'array' | 'volume' | 'mapped';
  id: string;
  /** Of a partition. */
  disk: string;
  number: number;
}

/** Disks whose names end with a digit: their partitions have a `p` between. */
const DIGIT_DISK =
  /^((?:nvme\d+(?:c\d+)?n\d+|mmcblk\d+|nbd\d+|loop\d+|md\d+|md_d\d+|ida\/c\d+d\d+|cciss\/c\d+d\d+|rd\/c\d+d\d+|pmem\d+))p(\d+)$/;
const LETTER_DISK = /^((?:sd|hd|vd|xvd|dasd)[a-z]+)(\d+)$/;
/** Names of device-mapper: `group-volume`, hyphens of the names themselves doubled. */
const MAPPED_VOLUME = /^mapper\/((?:[\w.+]|--)+)-((?:[\w.+]|--)+)$/;

/** What `/dev/sda1`, `/dev/mapper/vg-root`, `/dev/vg/root`, `/dev/md0` name; ids as `mindi layout` gives them. */
export function namedDevice(path: string): NamedDevice {
  const name = path.replace(/^\/dev\//, '');
  const whole = (kind: NamedDevice['kind'], id: string): NamedDevice => ({ kind, id, disk: id, number: 0 });
  const [, disk, number] = DIGIT_DISK.exec(name) ?? LETTER_DISK.exec(name) ?? [];
  if (disk && number) return { kind: 'partition', id: flat(name), disk: flat(disk), number: Number(number) };
  if (/^md(?:[\d_/]|$)/.test(name)) return whole('array', name.replace(/^md\//, ''));
  const [, part, partNumber] = /^mapper\/(.+)-part(\d+)$/.exec(name) ?? [];
  if (part) return { kind: 'partition', id: `${part}-part${partNumber}`, disk: part, number: Number(partNumber) };
  const [, group, volume] = MAPPED_VOLUME.exec(name) ?? [];
  if (group && volume) return whole('volume', `${single(group)}/${single(volume)}`);
  if (name.startsWith('mapper/')) return whole('mapped', name.slice('mapper/'.length));
  if (/^(?!cciss|ida|rd)[\w.+-]+\/[\w.+-]+$/.test(name)) return whole('volume', name);
  return whole('disk', flat(name));
}

const single = (text: string) => text.replaceAll('--', '-');
/** As the kernel has it: `cciss!c0d0`. */
const flat = (name: string) => name.replaceAll('/', '!');
