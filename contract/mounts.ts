import { unescapeField } from './mountlist-file.ts';

/** One line of /proc/self/mountinfo (proc(5)). */
export interface Mount {
  /** `major:minor` of the filesystem; major 0 where it has no block device of its own, as on btrfs. */
  number: string;
  source: string;
  target: string;
  format: string;
  /** What of the filesystem is mounted: `/`, a subvolume, or the directory of a bind mount. */
  root: string;
  /** The subvolume of a btrfs mount. */
  subvolume: string | undefined;
}

/** Mounts in the order they were made. Lines that are none are skipped. */
export function parseMountinfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [left, right] = line.split(' - ', 2).map((half) => half.split(' '));
    const [, , number, root, target] = left ?? [];
    const [format, source, options] = right ?? [];
    if (!number || !root || !target || !format || !source) return [];
    const subvolume = options?.split(',').find((option) => option.startsWith('subvol='));
    return {
      number,
      source: unescapeField(source),
      target: unescapeField(target),
      format,
      root: unescapeField(root),
      subvolume: subvolume && unescapeField(subvolume.slice('subvol='.length)),
    };
  });
}

/** A bind mount shows what belongs to another mount of the same filesystem. The root itself may be one (ostree). */
export function isBind(mount: Mount): boolean {
  return mount.target !== '/' && mount.root !== (mount.subvolume ?? '/');
}

export interface FstabLine {
  /** `UUID=…`, `/dev/sda1`, `server:/export`, without quotes and escapes. */
  spec: string;
  target: string;
  format: string;
  options: string[];
}

/** fstab(5), blanks as octal escapes. Lines with fewer than three fields are skipped. */
export function parseFstab(text: string): FstabLine[] {
  return text.split('\n').flatMap((line) => {
    const [spec, target, format, options] = line.trim().split(/\s+/);
    if (!spec || spec.startsWith('#') || !target || !format) return [];
    return {
      spec: unescapeField(spec.replace(/^([A-Z]+)=(["'])(.*)\2$/, '$1=$3')),
      target: unescapeField(target),
      format,
      options: (options ?? 'defaults').split(','),
    };
  });
}

/** Names of active swap areas, files left out: /proc/swaps. */
export function parseSwapDevices(text: string): string[] {
  return swapsOf(text, 'partition');
}

/** Names of active swap files. */
export function parseSwapFiles(text: string): string[] {
  return swapsOf(text, 'file');
}

function swapsOf(text: string, kind: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [name, type] = line.split(/\s+/);
    return name?.startsWith('/') && type === kind ? [unescapeField(name)] : [];
  });
}
