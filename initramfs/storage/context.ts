import type { KernelModules } from '../kernel-modules.ts';

/** What bringing storage up needs of the boot; a command makes its own. */
export interface StorageContext {
  modules: KernelModules;
  /** Disks that are left alone, as `excludedevs=` names them: `sda`, `/dev/sda`. */
  excluded: readonly string[];
  noLvm: boolean;
  /** Remembers what went wrong, one sentence. */
  problem(sentence: string): void;
}

/** Nothing tells programs of device-mapper that udev will make their nodes: there is none. */
export const NO_UDEV = { DM_DISABLE_UDEV: '1' } as const;
