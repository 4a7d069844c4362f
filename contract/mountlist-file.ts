import { MindiError } from './error.ts';
import type { Mountlist, MountlistEntry } from './mountlist.ts';

/**
 * The classic mountlist file: one device a line, fields separated by blanks,
 *
 *     device mountpoint format size_in_KiB [label] [UUID]
 *
 * as MondoRescue's own reader takes it (`sscanf "%s %s %s %lld %s"`: it sees the first five). `#` starts a comment; mindi
 * keeps machine and time of the capture in two of them. Blanks (Unicode's too: the original's reader in Latin-1 would
 * split there), control characters, backslashes and a leading `#` in a field are octal escapes of their UTF-8 bytes as
 * in fstab(5): `\040` is a space. The fifth field is the UUID when it looks like one (or says `UUID=…`); a label which
 * would look like one has its first character escaped.
 */
const COLUMNS = 'device mountpoint format size_in_KiB [label] [UUID]';

const UUID_SHAPES = [
  /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, // ext, xfs, btrfs, swap, LUKS
  /^[0-9A-F]{4}-[0-9A-F]{4}$/, // FAT
  /^[0-9A-F]{16}$/, // NTFS
  /^(?:[0-9a-f]{8}:){3}[0-9a-f]{8}$/, // md
  /^[0-9A-Za-z]{6}(?:-[0-9A-Za-z]{4}){5}-[0-9A-Za-z]{6}$/, // LVM
];

/** The original ignored these when they stood in the place of the device. */
const NO_DEVICES = new Set(['proc', '/proc', 'sys', '/sys', 'sysfs', 'devpts', '/dev/pts', 'none']);

const MAX_ERRORS = 10;

/**
 * Reads a classic mountlist. Duplicates and unknown formats are no errors here; `checkEntries` names them.
 * @param file what to call the text in errors
 * @throws MindiError `mountlist.*`, every bad line at once, each as file:line:column
 */
export function parseMountlist(text: string, file: string): Mountlist {
  const mountlist: Mountlist = { entries: [], machine: null, captured: null };
  const errors: MindiError[] = [];
  let bad = 0;
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    if (/^[ \t]*#/.test(line)) readComment(line, mountlist);
    else {
      try {
        const entry = parseLine(line, `${file}:${index + 1}`);
        if (entry) mountlist.entries.push(entry);
      } catch (error) {
        if (!(error instanceof MindiError)) throw error;
        bad += 1;
        if (errors.length < MAX_ERRORS) errors.push(error);
      }
    }
  }
  const more = bad > errors.length ? `; the first ${errors.length}:` : ':';
  if (bad > 0)
    throw MindiError.all(errors, `${file} has ${bad} lines that are no mountlist's${more}`, 'mountlist.lines');
  return mountlist;
}

/** Writes the classic file, entries in their order, a newline at the end. `parseMountlist` gives the same mountlist back. */
export function formatMountlist(mountlist: Mountlist): string {
  const head = [`# mindi mountlist: ${COLUMNS}`];
  if (mountlist.machine) head.push(`# machine: ${escapeField(mountlist.machine)}`);
  if (mountlist.captured !== null) head.push(`# captured: ${isoSeconds(mountlist.captured)}`);
  return `${[...head, ...mountlist.entries.map(formatEntry)].join('\n')}\n`;
}

/** A field as both file and screen show it: nothing in it can break the columns or reach the terminal as a control code. */
export function escapeField(text: string): string {
  return text.toWellFormed().replace(/^#|[\x00-\x20\x7f-\x9f\s\\]/g, octal);
}

function formatEntry(entry: MountlistEntry): string {
  const fields = [escapeField(entry.device), escapeField(entry.mountpoint), escapeField(entry.format), `${entry.size}`];
  if (entry.label) fields.push(formatLabel(entry.label));
  if (entry.uuid) fields.push(isUuidShape(entry.uuid) ? entry.uuid : `UUID=${escapeField(entry.uuid)}`);
  return fields.join(' ');
}

function formatLabel(label: string): string {
  const escaped = escapeField(label);
  return readsAsUuid(escaped) ? octal(escaped.charAt(0)) + escaped.slice(1) : escaped;
}

function octal(character: string): string {
  const bytes = new TextEncoder().encode(character);
  return [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}

/** Undoes the octal escapes, also those of fstab and /proc. Consecutive ones are bytes of UTF-8; what is none becomes U+FFFD. */
export function unescapeField(field: string): string {
  return field.replace(/(?:\\[0-3][0-7]{2})+/g, (run) => {
    const bytes = run
      .slice(1)
      .split('\\')
      .map((digits) => Number.parseInt(digits, 8));
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
  });
}

const isUuidShape = (text: string) => UUID_SHAPES.some((shape) => shape.test(text));
const readsAsUuid = (field: string) => field.startsWith('UUID=') || isUuidShape(field);

function isoSeconds(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
}

function readComment(line: string, mountlist: Mountlist): void {
  const machine = /^# machine: ([^ \t\r]+)[ \t\r]*$/.exec(line)?.[1];
  if (machine) mountlist.machine = unescapeField(machine);
  const captured = /^# captured: (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)[ \t\r]*$/.exec(line)?.[1];
  const time = captured ? Date.parse(captured) : Number.NaN;
  if (!Number.isNaN(time)) mountlist.captured = time / 1000;
}

interface Field {
  text: string;
  /** `file:line:column`. */
  where: string;
}

function parseLine(line: string, where: string): MountlistEntry | undefined {
  const fields = [...line.replace(/\r$/, '').matchAll(/[^ \t]+/g)].map(
    (match): Field => ({ text: match[0], where: `${where}:${match.index + 1}` }),
  );
  const [device, mountpoint, format, size, ...names] = fields;
  if (!device || NO_DEVICES.has(device.text)) return undefined;
  for (const field of fields) rejectControl(field);
  if (!device.text.startsWith('/')) throw fieldError('device', device, 'is no device: it does not start with /');
  if (!mountpoint || !format || !size) {
    throw new MindiError(`a line needs at least four fields, this one has ${fields.length}`, {
      code: 'mountlist.fields',
      where,
      hint: `The fields are: ${COLUMNS}.`,
    });
  }
  return {
    device: unescapeField(device.text),
    mountpoint: unescapeField(mountpoint.text),
    format: unescapeField(format.text),
    size: parseSize(size),
    ...parseNames(names),
  };
}

function rejectControl(field: Field): void {
  if (/[\x00-\x1f\x7f]/.test(field.text)) throw fieldError('control', field, 'holds a control character');
}

/** The original read the size with atoll and took everything that is not above 0 for a logical volume. */
function parseSize(field: Field): number | 'lvm' {
  if (field.text === 'lvm') return 'lvm';
  const size = Number(field.text);
  if (!/^-?\d+$/.test(field.text) || !Number.isSafeInteger(size)) {
    throw fieldError('size', field, 'is no size: a whole number of KiB, or `lvm` for a logical volume');
  }
  return size > 0 ? size : 'lvm';
}

function parseNames([first, second, third]: Field[]): Pick<MountlistEntry, 'label' | 'uuid'> {
  if (!first) return {};
  if (readsAsUuid(first.text)) {
    if (second) throw fieldError('fields', second, 'stands after the UUID, which is the last field');
    return { uuid: parseUuid(first) };
  }
  const label = unescapeField(first.text);
  if (!second) return { label };
  if (third || !readsAsUuid(second.text))
    throw fieldError('fields', second, 'is no UUID, and nothing else follows a label');
  return { label, uuid: parseUuid(second) };
}

function parseUuid(field: Field): string {
  const uuid = unescapeField(field.text.replace(/^UUID=/, ''));
  if (!uuid) throw fieldError('uuid', field, 'names no UUID');
  return uuid;
}

function fieldError(code: string, field: Field, what: string): MindiError {
  const shown = escapeField(field.text.length > 60 ? `${field.text.slice(0, 60)}…` : field.text);
  return new MindiError(`\`${shown}\` ${what}`, {
    code: `mountlist.${code}`,
    where: field.where,
    hint: `The fields are: ${COLUMNS}; a space inside one is written \\040.`,
  });
}
