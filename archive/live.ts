import type { TarHeader } from '../contract/tar.ts';
import { padded } from '../contract/tar.ts';
import { readMembers } from './members.ts';
import { dataSum, pass } from './packer.ts';
import { type MemberRow, membersOf, shownPath } from './selection.ts';
import type { ArchiveSet } from './set.ts';
import type { Window } from './window.ts';

export interface Difference {
  path: string;
  /** `changed: mode, contents`, `missing`, `unreadable`. */
  what: string;
}

/** Members read by one tar process. */
const AT_ONCE = 16_384;

/** Reads the files of this machine as an archive run would, and compares each with the catalog. New files are not looked for. */
export async function compareLive(set: ArchiveSet): Promise<Difference[]> {
  const differences: Difference[] = [];
  let members: MemberRow[] = [];
  for (const member of membersOf(set.catalog, 'ORDER BY id')) {
    members.push(member);
    // Hard links stay with what they are links to: tar knows them by that.
    if (members.length < AT_ONCE || member.type === 'link') continue;
    differences.push(...(await compareSome(members)));
    members = [];
  }
  differences.push(...(await compareSome(members)));
  return differences;
}

async function compareSome(members: readonly MemberRow[]): Promise<Difference[]> {
  const list = Buffer.concat(members.flatMap(({ path }) => [Buffer.from(path), Buffer.from([0])]));
  const differences: Difference[] = [];
  const failures = await readMembers(list, {
    member: async (header, index, window) => {
      const member = members[index] as MemberRow;
      const sha256 = await sumOf(header, window);
      const what = differing(member, header, sha256);
      if (what.length > 0) differences.push({ path: shownPath(member.path), what: `changed: ${what.join(', ')}` });
    },
  });
  for (const { path, trouble } of failures) {
    const what = trouble === 'vanished' ? 'missing' : trouble;
    differences.push({ path: shownPath(Buffer.from(path, 'latin1')), what });
  }
  return differences;
}

async function sumOf(header: TarHeader, window: Window): Promise<Buffer> {
  const sum = dataSum(header);
  await pass(window, header.headers + padded(header.data), sum.update);
  return sum.digest();
}

function differing(member: MemberRow, header: TarHeader, sha256: Buffer): string[] {
  const kinds = { type: [member.type, header.type], mode: [member.mode, header.mode] };
  const owners = { owner: [`${member.uid}/${member.gid}`, `${header.uid}/${header.gid}`] };
  const times = member.type === 'directory' ? {} : { time: [member.mtime, header.mtime] };
  const attributes = Buffer.from(member.attributes ?? []).toString('latin1');
  const target = (bytes: Uint8Array | null) => Buffer.from(bytes ?? []).toString('latin1');
  const more = {
    target: [target(member.target), target(header.target)],
    device: [member.device, header.device],
    attributes: [attributes, header.attributes],
    contents: [
      member.sha256 ? Buffer.from(member.sha256).toString('hex') : '',
      header.type === 'file' ? sha256.toString('hex') : '',
    ],
  };
  return Object.entries({ ...kinds, ...owners, ...times, ...more }).flatMap(([what, [was, is]]) =>
    was === is ? [] : [what],
  );
}
