import type { RestoreMode } from '../contract/rescue-config.ts';

export type EntryName = RestoreMode | 'RESTORE' | 'iso' | 'nfs' | 'check' | 'memtest' | 'local' | 'reboot' | 'help';

export interface EntryText {
  name: EntryName;
  /** The key that marks it; its letter is in the label. */
  key: string;
  label: string;
  /** What it does and what it does not, for people who have never seen it; at most two lines of 65 columns. */
  help: string[];
}

/** An entry that starts the rescue system. */
interface RescueEntry extends EntryText {
  /** Kernel parameters of its own. */
  parameters: readonly string[];
}

// Kernel messages stay off slow consoles, except for an expert.
const INTERACTIVE: RescueEntry = {
  name: 'interactive',
  key: 'i',
  label: 'Interactive  ask before every step of a restore',
  help: [
    'Starts the rescue system, looks for your backup and asks before',
    'each step. Nothing is written to a disk before you agree to it.',
  ],
  parameters: ['quiet', 'interactive_mode'],
};
const EXPERT: RescueEntry = {
  name: 'expert',
  key: 'e',
  label: 'Expert       give me a shell, start nothing',
  help: [
    'Starts the rescue system and gives you a shell with all its',
    'tools. Nothing is mounted, restored or written unless you do it.',
  ],
  parameters: ['expert_mode'],
};
const COMPARE: RescueEntry = {
  name: 'compare',
  key: 'c',
  label: 'Compare      compare this machine with its backup',
  help: ['Lists what differs between backup and disks. Writes nothing.'],
  parameters: ['quiet', 'compare_mode'],
};
const NUKE: RescueEntry = {
  name: 'nuke',
  key: 'n',
  label: 'Nuke         ERASE the disks and restore everything',
  help: [
    'ERASES this machine: partitions and formats its disks as they',
    'were when the medium was made, restores all, asks no questions.',
  ],
  parameters: ['quiet', 'nuke_mode'],
};
const RESTORE: RescueEntry = {
  name: 'RESTORE',
  key: 's',
  label: 'RESTORE      ERASE the disks, back to factory defaults',
  help: [
    'To restore your disk to factory defaults. It asks no questions.',
    'CAUTION: THIS WILL ERASE YOUR WHOLE DISK !!!',
  ],
  parameters: ['quiet', 'RESTORE_mode'],
};

/** Starts the rescue system as the expert's does, and reads the medium before it gives the shell. */
const CHECK: RescueEntry = {
  name: 'check',
  key: 'k',
  label: 'Check        read this whole medium and compare it',
  help: ['Says whether this medium is whole; then a shell. Writes nothing.'],
  parameters: ['quiet', 'expert_mode', 'mindi.check'],
};

/** The profile's `boot.menu`: the modes of a rescue medium, or the one keyword of a medium that resets a machine. */
export const MENUS: Record<'modes' | 'restore', readonly RescueEntry[]> = {
  modes: [INTERACTIVE, EXPERT, COMPARE, NUKE, CHECK],
  restore: [RESTORE, EXPERT, CHECK],
};

export const MEMTEST: EntryText = {
  name: 'memtest',
  key: 'm',
  label: 'Memory test  look for faults of the memory',
  help: ['Memtest86+ tests the memory of this machine until you stop it.'],
};

/** What starts no rescue system. */
export const OTHERS: readonly EntryText[] = [
  {
    name: 'local',
    key: 'l',
    label: 'Local disk   start the system of this machine',
    help: [
      'Starts what is installed on the disk. Many BIOSes cannot do that',
      'while the medium is a stick: pull it out and restart.',
    ],
  },
  { name: 'reboot', key: 'r', label: 'Reboot       restart this machine', help: ['Restarts this machine.'] },
  {
    name: 'help',
    key: 'h',
    label: 'Help         explain every entry',
    help: ['Explains every entry. F1 shows it, too.'],
  },
];

const NETWORK = /^(nfs|cifs|smb|https?|s?ftp|ssh|rsync):\/\/[^/]/i;
/** Columns of a URL in the label, which menu.c32 cuts at 66, and in the help. */
const SOURCE_COLUMNS = { label: 35, help: 56 } as const;

/**
 * The entry for restore data on the network: as interactive, with the network up. Called nfs or iso, as the original's.
 * @param source the profile's `restore.source`; user, password and query of the URL are not shown
 */
export function networkEntry(source: string | null): RescueEntry | undefined {
  if (source === null || !NETWORK.test(source)) return undefined;
  const nfs = /^nfs:/i.test(source);
  return {
    name: nfs ? 'nfs' : 'iso',
    key: 'w',
    label: `Network      ask, restore from ${shownSource(source, SOURCE_COLUMNS.label)}`,
    help: [
      'As interactive, with the network brought up by DHCP, for restore',
      `data at ${shownSource(source, SOURCE_COLUMNS.help)}.`,
    ],
    parameters: ['quiet', 'interactive_mode', 'ip=dhcp'],
  };
}

function shownSource(source: string, columns: number): string {
  const bare = source.replace(/[?#].*$/s, '').replace(/^([a-z]+:\/\/)[^/]*@/i, '$1');
  const ascii = bare.replace(/[^\x21-\x7e]/g, '?');
  return ascii.length > columns ? `${ascii.slice(0, columns - 3)}...` : ascii;
}
