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

export interface Entry extends EntryText {
  /** Kernel parameters of its own; null: it starts no rescue system. */
  parameters: readonly string[] | null;
}

/** Name, key, label, kernel parameters (null: it starts no rescue system), help. */
type Row = readonly [EntryName, string, string, readonly string[] | null, ...help: string[]];

// Kernel messages stay off slow consoles, except for an expert. `check` starts the rescue system as `expert` does.
// biome-ignore format: a row is an entry
const ROWS: readonly Row[] = [
  ['interactive', 'i', 'Interactive  ask before every step of a restore', ['quiet', 'interactive_mode'],
    'Starts the rescue system, looks for your backup and asks before',
    'each step. Nothing is written to a disk before you agree to it.'],
  ['expert', 'e', 'Expert       give me a shell, start nothing', ['expert_mode'],
    'Starts the rescue system and gives you a shell with all its',
    'tools. Nothing is mounted, restored or written unless you do it.'],
  ['compare', 'c', 'Compare      compare this machine with its backup', ['quiet', 'compare_mode'],
    'Lists what differs between backup and disks. Writes nothing.'],
  ['nuke', 'n', 'Nuke         ERASE the disks and restore everything', ['quiet', 'nuke_mode'],
    'ERASES this machine: partitions and formats its disks as they',
    'were when the medium was made, restores all, asks no questions.'],
  ['RESTORE', 's', 'RESTORE      ERASE the disks, back to factory defaults', ['quiet', 'RESTORE_mode'],
    'To restore your disk to factory defaults. It asks no questions.',
    'CAUTION: THIS WILL ERASE YOUR WHOLE DISK !!!'],
  ['check', 'k', 'Check        read this whole medium and compare it', ['quiet', 'expert_mode', 'mindi.check'],
    'Says whether this medium is whole; then a shell. Writes nothing.'],
  ['memtest', 'm', 'Memory test  look for faults of the memory', null,
    'Memtest86+ tests the memory of this machine until you stop it.'],
  ['local', 'l', 'Local disk   start the system of this machine', null,
    'Starts what is installed on the disk. Many BIOSes cannot do that',
    'while the medium is a stick: pull it out and restart.'],
  ['reboot', 'r', 'Reboot       restart this machine', null,
    'Restarts this machine.'],
  ['help', 'h', 'Help         explain every entry', null,
    'Explains every entry. F1 shows it, too.'],
];

function entries(...names: EntryName[]): Entry[] {
  const all = new Map(
    ROWS.map(([name, key, label, parameters, ...help]) => [name, { name, key, label, help, parameters }]),
  );
  return names.flatMap((name) => all.get(name) ?? []);
}

/** The profile's `boot.menu`: the modes of a rescue medium, or the one keyword of a medium that resets a machine. */
export const MENUS: Record<'modes' | 'restore', readonly Entry[]> = {
  modes: entries('interactive', 'expert', 'compare', 'nuke', 'check'),
  restore: entries('RESTORE', 'expert', 'check'),
};

export const MEMTEST = entries('memtest');
/** What starts no rescue system. */
export const OTHERS = entries('local', 'reboot', 'help');

const NETWORK = /^(nfs|cifs|smb|https?|s?ftp|ssh|rsync):\/\/[^/]/i;
/** Columns of a URL in the label, which menu.c32 cuts at 66, and in the help. */
const SOURCE_COLUMNS = { label: 35, help: 56 } as const;

/**
 * The entry for restore data on the network: as interactive, with the network up. Called nfs or iso, as the original's.
 * @param source the profile's `restore.source`; user, password and query of the URL are not shown
 */
export function networkEntry(source: string | null): Entry | undefined {
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
