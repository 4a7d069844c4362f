/** What the kernel command line asked for, as command-line.ts read it. */
import type { NetworkSetting } from './network-setting.ts';
import type { RestoreMode } from './rescue-config.ts';

export const FAILURE_ACTIONS = ['shell', 'reboot', 'poweroff'] as const;
export type FailureAction = (typeof FAILURE_ACTIONS)[number];

export interface BootParameters {
  /** null: the command line names none, the medium's default holds. */
  mode: RestoreMode | null;
  /** Address of the restore data, as docs/restore-sources.md has it; null: see `chosenSource`. */
  source: string | null;
  /** The file with the password for it: a path on the medium or a USB stick. */
  passwordFile: string | null;
  /** Fingerprint of the key of the SFTP server: `SHA256:…`; null: as the profile says. */
  hostKey: string | null;
  /** The restore data are ISO files (classic `iso`). */
  isoFiles: boolean;
  /** What the names of the ISO files begin with; null: any. */
  prefix: string | null;
  /** How the network is set up: `mindi.ip` and its companions, `ipconf`. */
  network: NetworkSetting;
  /** The network is to be set up, also when nothing says how. */
  net: boolean;
  /** Hardware address of the card to use, and of the one the machine started from, as written. */
  hwaddr: string | null;
  bootif: string | null;
  /** How often the source's server is pinged until it answers; null: not at all. */
  ping: number | null;
  keymap: string | null;
  /** Devices of consoles with a screen, `ttyS1,9600` or `tty1`; empty: the kernel's own. */
  console: string[];
  /** The menu is numbered lines. */
  textOnly: boolean;
  /** null: as the profile says. */
  ssh: boolean | null;
  /** The read-only page over HTTP; null: as the profile says. */
  status: boolean | null;
  /** Where the log is sent to: URLs. */
  log: string[];
  /** What follows when an unattended restore cannot go on; null: as the profile says. */
  onFail: FailureAction | null;
  /** Scripts before and after the restore. */
  pre: string | null;
  post: string | null;
  /** Whether the medium shall be read and compared. */
  check: boolean;
  /** Path on a file system that is not known yet. */
  iso: string | null;
  server: string | null;
  stage2: string | null;
  /** Modules never loaded, and modules loaded first, as written. */
  deny: string[];
  force: string[];
  /** Seconds; null when not given. */
  wait: number | null;
  /** The second stage is copied to RAM. */
  toRam: boolean;
  dontEject: boolean;
  /** Devices that are not touched, as written: sdb, /dev/sdb, /dev/mapper/store. */
  excludeDevs: string[];
  noLvm: boolean;
  /** Disks are not partitioned; the mountlist is not fitted to other disks; no settings of the hardware are restored. */
  noPart: boolean;
  noResize: boolean;
  noHw: boolean;
  /** `module.parameter=value` by module (underscores), in order, as insmod takes them. */
  moduleOptions: Map<string, string[]>;
  /** Contradictions and mistakes, one sentence each. They never stop a boot. */
  problems: string[];
}

/** What the restore data are read from: the command line's source, else the profile's, else what `iso` stands for. */
export function chosenSource(parameters: BootParameters, profile: string | null): string | null {
  return parameters.source ?? profile ?? (parameters.isoFiles ? 'disk:' : null);
}
