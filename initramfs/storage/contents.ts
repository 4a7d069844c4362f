import type { Content, StorageDevice } from '../../contract/storage.ts';
import { findProgram, run } from '../process.ts';
import { diskOf } from './block-devices.ts';

/** Seconds a disk may take: it may have to spin up. One that takes longer is not asked for anything again. */
const LIMIT = 20;
/** Seconds all of them together may take before each is asked for itself. */
const LIMIT_FOR_ALL = 6;

/** Disks that did not answer, by the kernel's names. */
const silent = new Set<string>();

/**
 * What is on the devices, and which disks do not answer.
 * @param before what was found the last time; what is known already is not read again
 */
export async function readContents(
  devices: readonly StorageDevice[],
  before: readonly StorageDevice[] = [],
): Promise<{ devices: StorageDevice[]; silent: string[] }> {
  const known = new Map(before.map(({ device, content }) => [device, content]));
  const asked = devices.filter((one) => one.bytes > 0 && !known.has(one.device) && !silent.has(diskOf(one.name)));
  for (const [device, content] of await askAll(asked)) known.set(device, content);
  return {
    devices: devices.map((one) => ({ ...one, content: known.get(one.device) ?? null })),
    silent: [...silent].map((name) => `/dev/${name}`),
  };
}

type Answer = [device: string, content: Content];

/** All at once, because a process takes longer than a disk; where that takes too long one of them hangs. */
async function askAll(devices: readonly StorageDevice[]): Promise<Answer[]> {
  if (devices.length === 0) return [];
  const all = await ask(devices, LIMIT_FOR_ALL);
  if (all !== null) return all;
  const byDisk = [...Map.groupBy(devices, ({ name }) => diskOf(name))];
  const answers = await Promise.all(
    byDisk.map(async ([disk, some]) => {
      const answer = await ask(some, LIMIT);
      if (answer === null) silent.add(disk);
      return answer ?? [];
    }),
  );
  return answers.flat();
}

/** Null when there was no answer in `limit` seconds. */
async function ask(devices: readonly StorageDevice[], limit: number): Promise<Answer[] | null> {
  const blkid = findProgram('blkid');
  if (!blkid) return [];
  // With -p it would stop at the first device that holds nothing.
  const words = ['-c', '/dev/null', '-o', 'export', ...devices.map(({ device }) => device)];
  const { code, stdout } = await run(blkid, words, { limit });
  return code === 124 ? null : parseBlkid(stdout);
}

/** blkid's export format: `NAME=value` lines, an empty line between two devices, a backslash before special characters. */
export function parseBlkid(text: string): Answer[] {
  return text.split('\n\n').flatMap((block): Answer[] => {
    const fields = new Map(
      block.split('\n').map((line) => {
        const equals = line.indexOf('=');
        return [line.slice(0, Math.max(equals, 0)), line.slice(equals + 1).replaceAll(/\\(.)/g, '$1')];
      }),
    );
    const field = (name: string) => fields.get(name) ?? '';
    const content = {
      type: field('TYPE'),
      uuid: field('UUID'),
      label: field('LABEL'),
      partitionUuid: field('PARTUUID'),
      partitionLabel: field('PARTLABEL'),
    };
    const device = field('DEVNAME');
    return device ? [[device, content]] : [];
  });
}
