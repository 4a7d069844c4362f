import { padded, type TarHeader } from '../contract/tar.ts';
import type { Rows } from './catalog.ts';
import { type DirectReader, PLAIN_TYPES } from './direct.ts';
import { type Failure, readMembers } from './members.ts';
import { type Packer, type Placed, pass } from './packer.ts';
import { ancestors, type Unit } from './units.ts';
import { Bytes, type Source } from './window.ts';

/** What a thread has to work with. */
export interface Tools {
  packer: Packer;
  reader: DirectReader;
  rows: Rows;
  /** The directory that files are read from; empty: /. */
  root: string;
  /** Hears of each file that is packed. */
  seen: (bytes: number) => void;
  /** Hears what went wrong with a file that was read directly. */
  failed: (failure: Failure) => void;
}

/** A path of a unit's list: where it lies there, and which of its paths it is. */
interface Entry {
  from: number;
  to: number;
  index: number;
}

/**
 * Packs a unit: what is plain is read directly, in order; what needs tar comes at the end, by one tar.
 * @param tarBegins is called when what follows may be told of only when tar has ended
 * @returns what tar told of files
 */
export async function packUnit(unit: Unit, tools: Tools, tarBegins: () => void): Promise<Failure[]> {
  const list = Buffer.from(unit.list);
  const { packer, reader } = tools;
  const folders = await attributedFolders(unit, list, tools);
  const left: Entry[] = [];
  for (let from = 0, index = 0; from < list.length; index += 1) {
    const to = list.indexOf(0, from);
    const type = PLAIN_TYPES[unit.types[index] as number];
    const folder = folders.get(index);
    const header = folder ? folder.header : type && reader.begin(type, list, from, to);
    if (header) {
      const source = folder ?? reader;
      const placed = packer.isSmall(header) ? packer.small(header, source) : await packer.member(header, source);
      record(header, placed, unit, index, tools, folder === undefined);
    } else left.push({ from, to, index });
    from = to + 1;
  }
  if (left.length === 0) return [];
  tarBegins();
  return byTar(unit, left, list, tools);
}

function record(header: TarHeader, placed: Placed, unit: Unit, index: number, tools: Tools, direct: boolean): void {
  const { reader, rows, seen, failed } = tools;
  const failure = direct ? reader.ended() : null;
  if (unit.again[index] === 1) return;
  const flags = direct && !reader.isImmutable ? null : reader.flagsOf(header.path);
  rows.add(header, placed, { inode: unit.inodes[index] as number, trouble: failure?.trouble ?? null, flags });
  if (failure) failed({ path: header.path.toString('latin1'), ...failure });
  seen(header.data);
}

/** Directories with extended attributes are tar's; but they stand before what is in them, so they are read beforehand. */
async function attributedFolders(unit: Unit, list: Buffer, { reader, root }: Tools): Promise<Map<number, Folder>> {
  const found = new Map<number, Folder>();
  const asked: Entry[] = [];
  for (let from = 0, index = 0; from < list.length; index += 1) {
    const to = list.indexOf(0, from);
    const isFolder = PLAIN_TYPES[unit.types[index] as number] === 'directory';
    if (isFolder && reader.hasAttributes(list, from, to)) asked.push({ from, to, index });
    from = to + 1;
  }
  if (asked.length === 0) return found;
  const visitor = {
    member: async (header: TarHeader, n: number, window: Source) => {
      const bytes = Buffer.from(window.take(header.headers));
      if (header.type === 'directory') found.set((asked[n] as Entry).index, new Folder(header, bytes));
      else await pass(window, padded(header.data), () => {});
    },
  };
  await readMembers(Buffer.concat(asked.map(({ from, to }) => list.subarray(from, to + 1))), visitor, root);
  return found;
}

class Folder extends Bytes {
  readonly header: TarHeader;

  constructor(header: TarHeader, bytes: Buffer) {
    super(bytes);
    this.header = header;
  }
}

/** Each path after the directories above it: the archive at hand may have begun since these were read. */
async function byTar(unit: Unit, left: readonly Entry[], list: Buffer, tools: Tools): Promise<Failure[]> {
  const { packer, root, rows } = tools;
  /** Each path's index in the unit; undefined of directories that are here once more. */
  const asked = new Map<string, number | undefined>();
  for (const { from, to, index } of left) {
    const path = list.toString('latin1', from, to);
    for (const folder of ancestors(path)) if (!asked.has(folder)) asked.set(folder, undefined);
    asked.set(path, index);
  }
  const indexes = [...asked.values()];
  const visitor = {
    member: async (header: TarHeader, n: number, window: Source) => {
      const placed = await packer.member(header, window);
      const index = indexes[n];
      if (index !== undefined) record(header, placed, unit, index, tools, false);
    },
  };
  const failures = await readMembers(Buffer.from(`${[...asked.keys()].join('\0')}\0`, 'latin1'), visitor, root);
  for (const failure of failures) rows.setTrouble(failure);
  return failures;
}
