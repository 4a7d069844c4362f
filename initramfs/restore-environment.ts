import { existsSync } from 'node:fs';
import { PATHS, type RescueConfig, type RestoreMode } from '../contract/rescue-config.ts';
import { mountedAt } from './mount.ts';
import { SOURCE } from './sources/places.ts';
import { NO_UDEV } from './storage/context.ts';

/** What a restore is told of. */
export interface Facts {
  config: RescueConfig;
  mode: RestoreMode;
  medium: string | null;
}

/** As in a shell of the rescue system; programs of this machine's own may be in /usr/local. */
const USUAL = { HOME: '/root', PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin', ...NO_UDEV };

/**
 * Variables that scripts and another tool's restore command get: the contract of docs/other-backup-tools.md. Those of the
 * profile give way to what a person set in their shell.
 */
export function restoreEnvironment(
  { config, mode, medium }: Facts,
  shell: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const own = config.ownRestore?.environment ?? {};
  const told = Object.entries(own).map(([name, value]) => [name, (name in USUAL ? null : shell[name]) ?? value]);
  return {
    ...USUAL,
    ...Object.fromEntries(told),
    MINDI_MODE: mode,
    MINDI_NAME: config.name,
    MINDI_MEDIUM: medium ?? '',
    MINDI_MACHINE: config.machine ?? '',
    MINDI_SOURCE: mountedAt(SOURCE) ? SOURCE : '',
    MINDI_TARGET: PATHS.target,
    MINDI_MOUNTLIST: existsSync(PATHS.mountlist) ? PATHS.mountlist : '',
  };
}
