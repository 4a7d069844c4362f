import { readFile } from 'node:fs/promises';
import Handlebars from 'handlebars';
import { BOOT_PARAMETERS } from '../contract/boot-parameters.ts';
import { MindiError } from '../contract/error.ts';
import type { RestoreMode } from '../contract/rescue-config.ts';
import type { Memtest } from './memtest.ts';
import { type EntryName, type EntryText, MEMTEST, MENUS, networkEntry, OTHERS } from './menu-entries.ts';

/** Where the boot menus find what they start, as paths on the medium. */
export const ON_MEDIUM = {
  kernel: 'mindi/vmlinuz',
  initrd: 'mindi/initrd.img',
  help: 'boot/help.txt',
  memtest: { bios: 'boot/memtest.bin', uefi: 'boot/memtest.efi' },
} as const;

export interface MenuEntry extends EntryText {
  /** Kernel parameters, or null for an entry that starts no rescue system. */
  append: string | null;
}

/** How the loaders of one medium name what they start. */
export interface LoaderPlace {
  kernel: string;
  initrd: string;
  help: string;
  font: string;
  /** By firmware; null where the medium has no room for it. */
  memtest: Record<keyof Memtest, string> | null;
  /** Whether the loader came over the network, and tells the kernel from where. */
  network: boolean;
}

const DISC: LoaderPlace = {
  kernel: `/${ON_MEDIUM.kernel}`,
  initrd: `/${ON_MEDIUM.initrd}`,
  help: `/${ON_MEDIUM.help}`,
  font: '/boot/grub/font.pf2',
  memtest: { bios: `/${ON_MEDIUM.memtest.bios}`, uefi: `/${ON_MEDIUM.memtest.uefi}` },
  network: false,
};

/** One boot menu for every loader: the templates turn it into isolinux.cfg, grub.cfg and the help screen. */
export interface MenuModel {
  title: string;
  /** Seconds until the default entry is taken; 0: the menu waits for ever. */
  timeout: number;
  default: EntryName;
  serial: { unit: number; speed: number } | null;
  /** Entries cannot be edited, and the loader gives no shell. */
  lock: boolean;
  /** The memory test, as paths on this machine. */
  memtest: Memtest;
  entries: MenuEntry[];
}

/** What the menu is made from: the profile's `boot:` and `restore.source`, and what the title shows. */
export interface MenuFacts {
  name: string;
  generator: string;
  machine: string | null;
  /** Seconds since 1970, shown as a date. */
  epoch: number;
  source: string | null;
  memtest: Memtest;
  boot: {
    timeout: number;
    default: RestoreMode | 'RESTORE' | 'local';
    menu: keyof typeof MENUS;
    lock: boolean;
    append: readonly string[];
    serial: string | false;
  };
}

/** x86's COMMAND_LINE_SIZE is 2048; isolinux adds `BOOT_IMAGE=` and `initrd=` to what we write. */
const APPEND_LIMIT = 1900;
const TITLE_LIMIT = 74;

/** @throws MindiError `boot.append` for parameters no boot loader can carry, `boot.default` for an entry that is not there */
export function menuModel(facts: MenuFacts): MenuModel {
  const { boot, memtest } = facts;
  const network = boot.menu === 'modes' ? networkEntry(facts.source) : undefined;
  const known = [
    ...(network ? [network] : []),
    ...MENUS[boot.menu],
    ...(memtest.bios || memtest.uefi ? MEMTEST : []),
    ...OTHERS,
  ];
  const entries = known.map(({ parameters, ...entry }) => ({
    ...entry,
    append: parameters && append(parameters, boot),
  }));
  return {
    title: title(facts),
    timeout: boot.timeout,
    // Restore data on the network: that is what interactive means then, as it was in the original.
    default: network && boot.default === 'interactive' ? network.name : defaultOf(boot, entries),
    serial: boot.serial === false ? null : serialPort(boot.serial),
    lock: boot.lock,
    memtest,
    entries,
  };
}

function defaultOf({ default: wanted, menu }: MenuFacts['boot'], entries: readonly MenuEntry[]): EntryName {
  const found = entries.find(({ name }) => name === wanted);
  if (found) return found.name;
  throw new MindiError(`boot.default is ${wanted}, which the menu of \`boot.menu: ${menu}\` does not have`, {
    code: 'boot.default',
    hint: `Set boot.default to one of ${MENUS[menu].map(({ name }) => name).join(', ')}, local.`,
  });
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

/** `ttyS1,9600n8` as the loaders want it: unit 1, 9600 baud. */
function serialPort(console: string): { unit: number; speed: number } {
  const [, unit, speed] = /^ttyS(\d+)(?:,(\d+))?/.exec(console) ?? [];
  return { unit: Number(unit ?? 0), speed: Number(speed ?? 115200) };
}

/** isolinux.cfg: menu.c32, whose command line (Esc) also takes the entries' names, as the original's prompt did. */
export async function isolinuxConfig(menu: MenuModel, place = DISC): Promise<string> {
  const entries = entriesFor('bios', menu, place);
  const rows = { entries: entries.length, help: Math.max(15, entries.length + HEAD_ROWS) };
  return render('isolinux.cfg', { ...menu, entries, rows, place, tenths: menu.timeout * 10 });
}

/** Rows above and below menu.c32's entries: margin, frame, title, line, frame. */
const HEAD_ROWS = 6;

/** grub.cfg: the same entries, the same texts, on UEFI. */
export async function grubConfig(menu: MenuModel, place = DISC): Promise<string> {
  const entries = entriesFor('uefi', menu, place);
  return render('grub.cfg', { ...menu, entries, place, seconds: menu.timeout === 0 ? -1 : menu.timeout });
}

/** loopback.cfg: what a GRUB of any other medium, or Ventoy, reads to boot the ISO file. */
export async function loopbackConfig(): Promise<string> {
  return render('loopback.cfg', {});
}

function entriesFor(firmware: keyof Memtest, { entries, memtest }: MenuModel, place: LoaderPlace): MenuEntry[] {
  return entries.filter(({ name }) => name !== 'memtest' || (place.memtest && memtest[firmware] !== null));
}

/** What F1 shows: every entry explained, on one screen of 80x24. */
export async function helpText(menu: MenuModel): Promise<string> {
  const entries = menu.entries.filter(({ name }) => name !== 'help');
  const lines = entries.flatMap(({ name, help }) =>
    help.map((line, index) => `${(index === 0 ? name : '').padEnd(NAME_COLUMNS)}${line}`),
  );
  return render('help.txt', { ...menu, lines, parameters: parameterLines() });
}

/** The boot parameters people need most, in lines of 79 columns. */
function parameterLines(): string[] {
  const words = BOOT_PARAMETERS.filter(({ help }) => help).map(({ name, value = '' }) => `${name}${value}`);
  const lines: string[] = [];
  for (const word of words) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= 79) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

const NAME_COLUMNS = 13;

/** boot.ipxe: the same menu for iPXE. `from` is where the folder is; null: where the script comes from. */
export async function ipxeScript(menu: MenuModel, from: string | null): Promise<string> {
  const entries = menu.entries.filter(({ name }) => name !== 'memtest');
  return render('boot.ipxe', { ...menu, entries, from: from ?? FROM, milliseconds: menu.timeout * 1000 });
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: iPXE's
const FROM = '${from}';

/** A file of templates/ with its values filled in. */
export async function render(template: string, values: object): Promise<string> {
  const source = await readFile(new URL(`../templates/${template}.hbs`, import.meta.url), 'utf8');
  const compiled = Handlebars.create().compile(source, { noEscape: true, strict: true });
  return compiled(values, { helpers });
}

const helpers = {
  equals: (a: unknown, b: unknown) => a === b,
  /** Puts isolinux's hot key mark before the key's letter. */
  hotkey: ({ label, key }: MenuEntry) => label.replace(new RegExp(key, 'i'), '^$&'),
  quote,
  ipxe,
  /** GRUB puts quotes of its own around a word with a space in it and spoils those it finds, so none are left inside. */
  words: (line: string) =>
    (line.match(/(?:[^\s"]|"[^"]*")+/g) ?? []).map((word) => quote(word.replaceAll('"', ''))).join(' '),
};

/** iPXE joins words with one blank, so that further ones are a variable; `$` would begin another. */
function ipxe(text: string): string {
  const plain = text.replaceAll('$', '?');
  // biome-ignore lint/suspicious/noTemplateCurlyInString: iPXE's
  return plain.replace(/(?<= ) +|^ +/g, (blanks) => '${sp}'.repeat(blanks.length));
}

/** As one word for GRUB's parser, which reads quotes as a shell does. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
