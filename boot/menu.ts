import { readFile } from 'node:fs/promises';
import Handlebars from 'handlebars';
import { MindiError } from '../contract/error.ts';
import type { RestoreMode } from '../contract/rescue-config.ts';

/** Where the boot menus find what they start, as paths on the medium. */
export const ON_MEDIUM = { kernel: 'mindi/vmlinuz', initrd: 'mindi/initrd.img', help: 'boot/help.txt' } as const;

export type EntryName = RestoreMode | 'check' | 'local' | 'reboot' | 'help';

export interface MenuEntry {
  name: EntryName;
  /** The key that chooses it; its letter is in the label. */
  key: string;
  label: string;
  /** What it does and what it does not, for people who have never seen it; lines of at most 74 columns. */
  help: string[];
  /** Kernel parameters, or null for an entry that starts no kernel. */
  append: string | null;
}

/** One boot menu for every loader: the templates turn it into isolinux.cfg, grub.cfg and the help screen. */
export interface MenuModel {
  title: string;
  /** Seconds until the default entry is taken; 0: the menu waits for ever. */
  timeout: number;
  default: EntryName;
  serial: { unit: number; speed: number } | null;
  entries: MenuEntry[];
}

/** What the menu is made from: the profile's `boot:` and what the title shows. */
export interface MenuFacts {
  name: string;
  generator: string;
  machine: string | null;
  /** Seconds since 1970, shown as a date. */
  epoch: number;
  boot: { timeout: number; default: RestoreMode | 'local'; append: readonly string[]; serial: string | false };
}

const RESCUE: { name: RestoreMode; key: string; label: string; help: string[] }[] = [
  {
    name: 'interactive',
    key: 'i',
    label: 'Interactive  ask before every step of a restore',
    help: [
      'Starts the rescue system, looks for your backup and asks before each step.',
      'Nothing is written to a disk of this machine before you agree to it.',
    ],
  },
  {
    name: 'expert',
    key: 'e',
    label: 'Expert       give me a shell, start nothing',
    help: [
      'Starts the rescue system and gives you a shell with all its tools.',
      'Nothing is mounted, restored or written unless you do it.',
    ],
  },
  {
    name: 'compare',
    key: 'c',
    label: 'Compare      compare this machine with its backup',
    help: ['Lists what differs between the backup and the disks. Nothing is written.'],
  },
  {
    name: 'nuke',
    key: 'n',
    label: 'Nuke         ERASE the disks and restore everything',
    help: [
      'ERASES this machine: partitions and formats its disks as they were when',
      'the medium was made and restores everything. It asks no questions.',
    ],
  },
];

/** Starts the rescue system, too, as the expert's does, and reads the medium before it gives the shell. */
const CHECK = {
  name: 'check' as const,
  key: 'k',
  label: 'Check        read this whole medium and compare it',
  help: ['Reads this medium, says whether it is whole, gives a shell. Writes nothing.'],
};

const OTHERS: MenuEntry[] = [
  {
    name: 'local',
    key: 'l',
    label: 'Local disk   start the system of this machine',
    help: ['Starts the system on the disk. Many BIOSes cannot while a stick is in.'],
    append: null,
  },
  {
    name: 'reboot',
    key: 'r',
    label: 'Reboot       restart this machine',
    help: ['Restarts this machine.'],
    append: null,
  },
  {
    name: 'help',
    key: 'h',
    label: 'Help         explain every entry',
    help: ['Explains every entry. F1 shows it, too.'],
    append: null,
  },
];

/** x86's COMMAND_LINE_SIZE is 2048; isolinux adds `BOOT_IMAGE=` and `initrd=` to what we write. */
const APPEND_LIMIT = 1900;
const TITLE_LIMIT = 74;

/** @throws MindiError `boot.append` for parameters no boot loader can carry. */
export function menuModel(facts: MenuFacts): MenuModel {
  const { boot } = facts;
  const serial = boot.serial === false ? null : serialPort(boot.serial);
  return {
    title: title(facts),
    timeout: boot.timeout,
    default: boot.default,
    serial,
    entries: [
      ...RESCUE.map((entry) => ({ ...entry, append: append([...quiet(entry.name), `${entry.name}_mode`], boot) })),
      { ...CHECK, append: append(['quiet', 'expert_mode', 'mindi.check'], boot) },
      ...OTHERS,
    ],
  };
}

function title({ name, generator, machine, epoch }: MenuFacts): string {
  const date = new Date(epoch * 1000).toISOString().slice(0, 10);
  const text = [generator, name, ...(machine ? [`made for ${machine}`] : []), date].join(', ');
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, TITLE_LIMIT);
}

/**
 * The screen is always a console; the serial port comes last, because the last one named is /dev/console and a machine
 * without that port falls back to the one before.
 */
function append(own: readonly string[], boot: MenuFacts['boot']): string {
  const consoles = ['console=tty0', ...(boot.serial === false ? [] : [`console=${boot.serial}`])];
  const words = [...consoles, ...own, ...boot.append];
  const line = words.join(' ');
  const odd = words.find((word) => !/^[\x20-\x7e]+$/.test(word));
  if (odd !== undefined) {
    throw new MindiError(`kernel parameters are printable ASCII, and ${JSON.stringify(odd)} is not`, {
      code: 'boot.append',
      hint: 'Correct boot.append in the profile.',
    });
  }
  if (line.length > APPEND_LIMIT) {
    throw new MindiError(`the kernel parameters have ${line.length} characters, and at most ${APPEND_LIMIT} fit`, {
      code: 'boot.append',
      hint: 'Shorten boot.append in the profile.',
    });
  }
  return line;
}

/** Kernel messages stay off slow consoles, except for an expert. */
const quiet = (mode: RestoreMode) => (mode === 'expert' ? [] : ['quiet']);

/** `ttyS1,9600n8` as the loaders want it: unit 1, 9600 baud. */
function serialPort(console: string): { unit: number; speed: number } {
  const [, unit, speed] = /^ttyS(\d+)(?:,(\d+))?/.exec(console) ?? [];
  return { unit: Number(unit ?? 0), speed: Number(speed ?? 115200) };
}

/** isolinux.cfg: menu.c32, whose command line (Esc) also takes the entries' names, as the original's prompt did. */
export async function isolinuxConfig(menu: MenuModel): Promise<string> {
  return render('isolinux.cfg', { ...menu, tenths: menu.timeout * 10, rows: menu.entries.length });
}

/** grub.cfg: the same entries, the same texts, on UEFI. */
export async function grubConfig(menu: MenuModel): Promise<string> {
  return render('grub.cfg', { ...menu, seconds: menu.timeout === 0 ? -1 : menu.timeout });
}

/** What F1 shows: every entry explained, on one screen of 80x24. */
export async function helpText(menu: MenuModel): Promise<string> {
  return render('help.txt', menu);
}

async function render(template: string, values: object): Promise<string> {
  const source = await readFile(new URL(`../templates/${template}.hbs`, import.meta.url), 'utf8');
  const compiled = Handlebars.create().compile(source, { noEscape: true, strict: true });
  return compiled({ ...values, medium: ON_MEDIUM }, { helpers });
}

const helpers = {
  equals: (a: unknown, b: unknown) => a === b,
  /** Puts isolinux's hot key mark before the key's letter. */
  hotkey: ({ label, key }: MenuEntry) => label.replace(new RegExp(key, 'i'), '^$&'),
  quote,
  /** GRUB puts quotes of its own around a word with a space in it and spoils those it finds, so none are left inside. */
  words: (line: string) =>
    (line.match(/(?:[^\s"]|"[^"]*")+/g) ?? []).map((word) => quote(word.replaceAll('"', ''))).join(' '),
};

/** As one word for GRUB's parser, which reads quotes as a shell does. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
