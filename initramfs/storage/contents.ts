import type { Content, StorageDevice } from '../../contract/storage.ts';
import { findProgram, run } from '../process.ts';
import { diskOf } from './block-devices.ts';

/** Seconds a disk may take: it may have to spin up. One that takes longer is not asked for anything again. */
const LIMIT = 20;

/** Disks that did not answer, by the kernel's names. */
const silent = new Set<string>();

/** What is on the devices, and which disks do not answer. Each disk is asked by a process of its own. */
export async function readContents(
  devices: readonly StorageDevice[],
): Promise<{ devices: StorageDevice[]; silent: string[] }> {
  const blkid = findProgram('blkid');
  const asked = devices.filter((one) => blkid && one.bytes > 0 && one.array?.level !== 'container');
  const answers = await Promise.all(
    [...Map.groupBy(asked, ({ name }) => diskOf(name))].map(([disk, some]) => ask(blkid ?? '', disk, some)),
  );
  const found = new Map(answers.flat());
  return {
    devices: devices.map((one) => ({ ...one, content: found.get(one.device) ?? null })),
    silent: [...silent].map((name) => `/dev/${name}`),
  };
}

async function ask(
  blkid: string,
  disk: string,
  devices: readonly StorageDevice[],
): Promise<[device: string, content: Content][]> {
  if (silent.has(disk)) return [];
  const words = ['-p', '-o', 'export', ...devices.map(({ device }) => device)];
  const { code, stdout } = await run(blkid, words, { limit: LIMIT });
  if (code === 124) silent.add(disk);
  return parseBlkid(stdout);
}

/** blkid's export format: `NAME=value` lines, an empty line between two devices, a backslash before special characters. */
export function parseBlkid(text: string): [device: string, content: Content][] {
  return text.split('\n\n').flatMap((block): [string, Content][] => {
    const fields = new Map(
      block.split('\n').map((line) => {
        const equals = line.indexOf('=');
        return [line.slice(0, Math.max(equals, 0)), line.slice(equals + 1).replaceAll(/\\(.)/g, '$1')];
      }),
    );
    const field = (name: string) => fields.get(name) ?? '';
    const content = {
      type: field('TYPE'),
      version: field('VERSION'),
      uuid: field('UUID'),
      label: field('LABEL'),
      partitionUuid: field('PART_ENTRY_UUID'),
      partitionLabel: field('PART_ENTRY_NAME'),
    };
    const device = field('DEVNAME');
    return device ? [[device, content]] : [];
  });
}
