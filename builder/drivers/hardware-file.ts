import { readFile, stat } from 'node:fs/promises';
import { MindiError, messageOf } from '../../contract/error.ts';
import { check } from '../../contract/settings/check.ts';
import { quoted, together } from '../../contract/settings/problems.ts';
import { shown } from '../../contract/settings/text.ts';
import { type Static, Type } from '../../contract/settings/type.ts';
import type { Located } from '../../contract/settings/yaml.ts';

/** Of the files scripts/probe writes; a new one wherever an older mindi would misread them. */
const FORMAT = 1;
const KIND = 'mindi hardware';

/** The largest machines have some thousand devices of 200 bytes each; a bigger file is something else. Bytes. */
const LARGEST = 8 << 20;

/** Deeper than any value a hardware file has. */
const DEEPEST = 5;

const HINT = 'A hardware file is what `mindi probe` or scripts/probe writes, or JSON with a list `modaliases`.';

/** Text the machine says of itself; empty where it says nothing. */
const text = (description: string) => Type.String({ description });
const list = <T extends Parameters<typeof Type.Object>[0]>(fields: T) => Type.Array(Type.Object(fields));

const modaliases = Type.Array(Type.String(), {
  description: 'what its devices ask for drivers with, as sysfs shows it',
});

const Bare = Type.Object({ modaliases });

/** A machine's hardware as scripts/probe prints it. Keys it does not name are let be. */
const HardwareSchema = Type.Object({
  format: Type.Literal(FORMAT),
  kind: Type.Literal(KIND),
  machine: Type.Object({
    vendor: text('who made the machine'),
    product: text('its model'),
    version: text('the revision of the model'),
    board: text('the model of its mainboard'),
  }),
  kernel: text('release of the kernel that was running'),
  architecture: text('as uname -m says'),
  modaliases,
  devices: list({
    path: text('below /sys/devices'),
    modalias: text('the first, where it has several'),
    class: text('of PCI and USB: class, subclass and interface, six hexadecimal digits'),
    id: text('of PCI and USB: maker and device, 8086:2922'),
    name: text('what people call it'),
    driver: text('what drives it'),
  }),
  disks: list({
    name: text('of the block device, sda'),
    bytes: Type.Integer({ minimum: 0, description: 'its size' }),
    model: text('what it calls itself'),
    transport: text('ata, sas, nvme, usb …'),
    driver: text('what drives its adapter'),
  }),
  nics: list({
    name: text('of the interface, eth0'),
    driver: text('what drives it'),
    modalias: text('of the device it is part of'),
  }),
});

export type Hardware = Static<typeof HardwareSchema>;

/** What a hardware file has at least. */
export type HardwareFile = Pick<Hardware, 'modaliases'> & Partial<Hardware>;

/**
 * Reads a hardware file: what scripts/probe wrote, or any JSON with a list `modaliases`.
 * @throws MindiError `hardware.*`: why it could not be read, or everything that is wrong with it.
 */
export async function readHardware(file: string): Promise<HardwareFile> {
  return parseHardware(await readBytes(file), file);
}

/**
 * The same for a text.
 * @param file what to call it in errors
 */
export function parseHardware(json: string, file: string): HardwareFile {
  const value = parse(json, file);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw problem('kind', file, `this is no hardware file, but ${quoted(value)}`);
  }
  const { format, kind } = value as Record<string, unknown>;
  if (format !== undefined || kind !== undefined) requireFormat(format, kind, file);
  const problems = check(located(value, shown(file)), format === undefined ? Bare : HardwareSchema, 'hardware');
  if (problems.length > 0) throw together(problems, shown(file), 'hardware.invalid');
  return value as HardwareFile;
}

function requireFormat(format: unknown, kind: unknown, file: string): void {
  if (kind !== KIND) throw problem('kind', file, `this is no hardware file: its kind is ${quoted(kind ?? null)}`);
  if (format === FORMAT) return;
  if (typeof format === 'number' && format > FORMAT) {
    const message = `this was written by a newer mindi: format ${format}, and this one reads format ${FORMAT}`;
    throw problem(
      'format',
      file,
      message,
      'Update mindi, or run the scripts/probe of this mindi on the machine again.',
    );
  }
  throw problem('format', file, `there is no format ${quoted(format ?? null)} of hardware files`);
}

async function readBytes(file: string): Promise<string> {
  try {
    // Asked before it is opened: a pipe without a writer would never open, a device never end.
    const facts = await stat(file);
    if (!facts.isFile()) throw problem('unreadable', file, 'this is no regular file');
    if (facts.size > LARGEST) throw problem('too-big', file, `${facts.size} bytes are too many for a hardware file`);
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof MindiError) throw error;
    throw problem('unreadable', file, `this hardware file cannot be read: ${messageOf(error)}`, HINT, error);
  }
}

/** The parser's words hold a piece of the file, which may be anything; only its place is taken from them. */
function parse(json: string, file: string): unknown {
  try {
    return JSON.parse(json.replace(/^\uFEFF/, ''));
  } catch (error) {
    const [, line, column] = /\(line (\d+) column (\d+)\)/.exec(messageOf(error)) ?? [];
    const ends = line === undefined && /end of JSON/.test(messageOf(error));
    const where = line === undefined ? file : `${file}:${line}:${column}`;
    const message = `this is no JSON${ends ? ': it ends too early' : ''}`;
    throw problem('syntax', where, message, `${HINT} Was it copied whole?`, error);
  }
}

/** JSON as `check` takes it. Its problems name the place within the file: `devices[3].driver`. */
function located(value: unknown, file: string, depth = 0): Located {
  const inside = (child: unknown) => located(child, file, depth + 1);
  const node: Located = { place: file, keyPlace: file, value, count: 1 };
  if (typeof value !== 'object' || value === null) return node;
  if (depth > DEEPEST) return { ...node, value: null };
  if (Array.isArray(value)) return { ...node, value: value.map(inside) };
  return { ...node, value: new Map(Object.entries(value).map(([key, child]) => [key, inside(child)])) };
}

function problem(code: string, file: string, message: string, hint = HINT, cause?: unknown): MindiError {
  return new MindiError(message, { code: `hardware.${code}`, where: shown(file), hint, cause });
}
