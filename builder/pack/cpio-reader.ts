import { MindiError } from '../../contract/error.ts';
import { align, HEADER_SIZE, TRAILER } from './cpio.ts';

/** One member of a cpio archive, whoever wrote it. */
export interface CpioMember {
  /** As stored, without leading `/` or `./`; the root itself is ''. */
  name: string;
  /** File type and permission bits, as in stat(2). */
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since 1970. */
  mtime: number;
  rdevMajor: number;
  rdevMinor: number;
  /** A view, not a copy. A symbolic link's target is its data. */
  data: Uint8Array;
}

const MAGICS = ['070701', '070702'];

/**
 * One newc archive that begins at `start`, up to its trailer. `end` is where the next thing may begin.
 * @throws MindiError `cpio.damaged`, `cpio.truncated` with the offset; never anything else, whatever the bytes.
 */
export function readCpio(bytes: Uint8Array, start = 0): { members: CpioMember[]; end: number } {
  const members: CpioMember[] = [];
  const linked = new Map<number, Uint8Array>();
  const hollow: { member: CpioMember; ino: number }[] = [];
  let at = start;
  for (;;) {
    const { fields, name, data, next } = readMember(bytes, at);
    at = next;
    if (name === TRAILER) break;
    const [ino, mode, uid, gid, nlink, mtime, , , , rdevMajor, rdevMinor] = fields as Tuple;
    const member: CpioMember = {
      name: name.replace(/^[./]+(?:\/|$)|^\/+/, ''),
      mode,
      uid,
      gid,
      mtime,
      rdevMajor,
      rdevMinor,
      data,
    };
    members.push(member);
    if (nlink < 2) continue;
    if (data.length > 0) linked.set(ino, data);
    else hollow.push({ member, ino });
  }
  // Of several names of one file only the last carries the data.
  for (const { member, ino } of hollow) member.data = linked.get(ino) ?? member.data;
  return { members, end: at };
}

type Tuple = [number, number, number, number, number, number, number, number, number, number, number];

function readMember(bytes: Uint8Array, at: number) {
  if (at + HEADER_SIZE > bytes.length) throw truncated(at);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + at, HEADER_SIZE).toString('latin1');
  if (!MAGICS.includes(text.slice(0, 6)) || !/^[0-9a-fA-F]+$/.test(text)) {
    throw new MindiError(`no cpio header at byte ${at}`, { code: 'cpio.damaged', hint: 'The archive is damaged.' });
  }
  const fields = Array.from({ length: 13 }, (_, i) => Number.parseInt(text.slice(6 + i * 8, 14 + i * 8), 16));
  const size = fields[6] as number;
  const nameSize = fields[11] as number;
  const nameEnd = at + HEADER_SIZE + nameSize;
  const dataStart = align(nameEnd);
  if (nameSize === 0 || dataStart + size > bytes.length) throw truncated(at);
  const name = Buffer.from(bytes.buffer, bytes.byteOffset + at + HEADER_SIZE, nameSize - 1).toString();
  // The last member of all may lack its padding.
  const next = Math.min(align(dataStart + size), bytes.length);
  return { fields, name, data: bytes.subarray(dataStart, dataStart + size), next };
}

function truncated(at: number): MindiError {
  return new MindiError(`the cpio archive ends in the middle of the member at byte ${at}`, {
    code: 'cpio.truncated',
    hint: 'The file is not whole: copy or build it again.',
  });
}
