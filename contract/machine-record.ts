/**
 * What a medium or a set was made for, so that it can be told when the machine is another one: on the medium
 * /etc/mindi/machine.json, in a catalog the fact `machine_record`. Nothing in it changes by a reboot.
 */
export interface MachineRecord {
  format: 1;
  /** Of what fstab names, what it lies on, and the root. Sorted by identity. */
  layout: LayoutEntry[];
  /** `uname -r`, and the SHA-256 of what depmod said of its modules; null where it has none. */
  kernel: { release: string; modules: string | null };
  /** SHA-256 of boot loader and configuration files, by path; of configuration without comments and blanks. */
  files: Record<string, string>;
  /** Of /boot and EFI system partitions those that were mounted: what is not cannot be compared. */
  mounted: string[];
}

/** A file system, swap area, or what carries one; all devices that share a UUID are one. */
export interface LayoutEntry {
  /** `uuid 4ffc-ebc4`, `partuuid …`, or `mountpoint /` of what has neither. Never a device's name. */
  identity: string;
  format: string;
  /** Where fstab has it mounted, or the mountlist's word. Sorted. */
  mountpoints: string[];
  /** KiB of each device, sorted. */
  sizes: number[];
}

/** Reads a record; null when it is none: any bytes may come. */
export function parseMachineRecord(text: string): MachineRecord | null {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is MachineRecord {
  const { format, layout, kernel, files, mounted } = (value ?? {}) as Partial<MachineRecord>;
  return (
    format === 1 &&
    Array.isArray(layout) &&
    layout.every(isEntry) &&
    typeof kernel?.release === 'string' &&
    isTexts(mounted) &&
    isTexts(Object.values(files ?? [null]))
  );
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string');

function isEntry(value: unknown): value is LayoutEntry {
  const { identity, format, mountpoints, sizes } = (value ?? {}) as Partial<LayoutEntry>;
  return (
    isTexts([identity, format]) && isTexts(mountpoints) && Array.isArray(sizes) && sizes.every(Number.isSafeInteger)
  );
}
