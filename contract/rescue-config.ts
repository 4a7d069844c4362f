import type { NetworkWords } from './network-setting.ts';

/** What the builder tells the init: `/etc/mindi/config.json` in the initrd's last segment. Paths of the rescue system. */
export interface RescueConfig {
  format: 1;
  /** Profile name, as the media are named. */
  name: string;
  generator: string;
  /** ISO 8601, from SOURCE_DATE_EPOCH or the mountlist's capture time. */
  created: string;
  /** Host name of the machine the mountlist was captured on, if any. */
  machine: string | null;
  kernel: string;
  runtime: 'node' | 'bun';
  /** The second stage; null when the profile has none. */
  stage2: SecondStage | null;
  /** Modules loaded first, in order, before coldplug: what reaches the medium. Names without dependencies. */
  essential: string[];
  /** `hostKey`: fingerprint of the source's SFTP server, `SHA256:…`; absent where none is told. */
  restore: { mode: RestoreMode; source: string | null; hostKey?: string | null };
  /** The profile's own command that restores; absent: none. */
  ownRestore?: OwnRestore;
  keymap: string | null;
  /** Whether files that people put on a stick are taken: access.stick of the profile. */
  stick: boolean;
  /** The profile's network, in the words of network-setting.ts; absent: nothing is said. */
  network?: NetworkWords;
  /** The read-only page over HTTP; absent: off. */
  statusPage?: boolean;
  /** The medium's manifest; absent where there was none when this was written. */
  manifest?: MediumManifestFacts;
}

/** Another backup tool restores: docs/other-backup-tools.md. */
export interface OwnRestore {
  /** Program and arguments. */
  command: string[];
  /** Variables of its own. */
  environment: Record<string, string>;
  /** Exit codes that mean: done, with warnings. */
  warningCodes: number[];
}

/** The manifest on the medium, PATHS.mediumManifest: it must be these bytes, signed by this key where there is one. */
export interface MediumManifestFacts {
  size: number;
  /** Hex. */
  sha256: string;
  /** One line as minisign or OpenSSH write it: trust.publicKey of the profile. Null: nothing need be signed. */
  publicKey: string | null;
}

/** A medium is recognised by holding this file with this size; it is used only when the hash is right. */
export interface SecondStage {
  /** `initrd`: folded in, the squashfs lies at PATHS.stage2Image of the initrd and no medium is needed. */
  where: 'medium' | 'initrd';
  /** On the medium, without a leading slash: `mindi/stage2.squashfs`. */
  path: string;
  size: number;
  /** Hex SHA-256 of the whole file. Also the content id by which the medium is recognised (file `mindi/id`). */
  sha256: string;
}

/** Where a medium started from the network finds its second stage. */
export interface NetbootConfig {
  format: 1;
  /** As `netboot.url` of the profile: where the folder is. null: on the server that gave the boot image. */
  url: string | null;
}

export const RESTORE_MODES = ['interactive', 'expert', 'compare', 'nuke'] as const;
export type RestoreMode = (typeof RESTORE_MODES)[number];

/** Folders whose programs run before and after the restore, in the order of their names. */
export const HOOKS = { before: '/etc/mindi/hooks/pre.d', after: '/etc/mindi/hooks/post.d' } as const;

/** Fixed places on the rescue system both sides rely on. */
export const PATHS = {
  config: '/etc/mindi/config.json',
  /** The same with what a stick says; not there where no stick said anything. */
  effectiveConfig: '/run/mindi/config.json',
  mountlist: '/etc/mindi/mountlist.txt',
  /** MachineRecord: what the machine was when the medium was made. */
  machine: '/etc/mindi/machine.json',
  /** NetbootConfig; only in the initrd that is started from the network. */
  netboot: '/etc/mindi/netboot.json',
  /** Of the profile: first line the password for the restore source, and the private key for an SFTP server. */
  password: '/etc/mindi/restore-password',
  sshKey: '/etc/mindi/restore-key',
  /** Where the file systems of the machine that is restored are mounted. */
  target: '/mnt/RESTORING',
  mountlistYaml: '/etc/mindi/mountlist.yaml',
  /** The profile's public keys, which SSH lets in. */
  authorizedKeys: '/etc/mindi/authorized_keys',
  /** The squashfs with node (or bun) and its libraries, inside the initrd; the shim loop-mounts it. */
  runtimeImage: '/runtime.squashfs',
  runtime: '/runtime',
  /** The bundled TypeScript init. */
  init: '/usr/lib/mindi/init.cjs',
  /** Binary keymaps, NAME.bmap, as `busybox dumpkmap` and `loadkeys --bkeymap` write them. */
  keymaps: '/usr/share/mindi/keymaps',
  /** The second stage when it is folded into the initrd. */
  stage2Image: '/stage2.squashfs',
  stage2Mount: '/run/mindi/stage2',
  medium: '/run/mindi/medium',
  /** The file system the medium is a file of, when it was booted as such. */
  carrier: '/run/mindi/carrier',
  /** Where the second stage is copied to by the boot parameter toram. */
  ram: '/run/mindi/ram',
  log: '/var/log/mindi.log',
  /** On the medium: one line, the SHA-256 of the second stage; of the manifest where that is folded into the initrd. */
  mediumId: 'mindi/id',
  /** On the medium: every file, its hash and where it comes from; beside it, perhaps, its signature. */
  mediumManifest: 'mindi/manifest.json',
  /**
   * There when the medium is not what was built: one sentence a line. Whatever erases or overwrites anything of this
   * machine looks for it first, and refuses.
   */
  untrusted: '/run/mindi/untrusted',
} as const;
