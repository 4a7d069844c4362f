import { writeFileSync } from 'node:fs';
import type { StorageDevice } from '../../contract/storage.ts';
import { findProgram, run } from '../process.ts';
import type { StorageContext } from './context.ts';

const CONFIG = '/run/mindi/mdadm.conf';

/** What blkid calls members, and the kernel modules their arrays may need beside those the kernel asks for itself. */
const MEMBERS = /^(linux_raid|isw_raid|ddf_raid)_member$/;

/** Settings of the kernel's md: nothing starts to resync by itself, whoever assembles. */
const START_READ_ONLY = '/sys/module/md_mod/parameters/start_ro';

/**
 * Assembles every array whose members are there, whoever made it, in firmware's formats too. Read-only: md then neither
 * marks its members as in use nor resyncs them.
 * @returns whether there was anything to assemble
 */
export async function assembleArrays(storage: StorageContext, devices: readonly StorageDevice[]): Promise<boolean> {
  const inUse = new Set(devices.filter(({ kind }) => kind === 'array').flatMap(({ on }) => on));
  const members = devices.filter(({ content, name }) => MEMBERS.test(content?.type ?? '') && !inUse.has(name));
  if (members.length === 0) return false;
  const mdadm = findProgram('mdadm');
  if (!mdadm) {
    storage.problem(`There are members of RAID arrays (${names(members)}), and mdadm is not on the medium.`);
    return false;
  }
  await storage.modules.loadAll(['md_mod']);
  startReadOnly();
  // Each array by itself: mdadm gives up when the first cannot be started.
  const arrays = Map.groupBy(members, ({ content }) =>
    content?.type === 'linux_raid_member' ? content.uuid : content?.type,
  );
  for (const some of arrays.values()) await assemble(storage, mdadm, some);
  return true;
}

async function assemble(storage: StorageContext, mdadm: string, members: readonly StorageDevice[]): Promise<void> {
  const containers = members[0]?.content?.type === 'linux_raid_member' ? '' : ' containers';
  // All arrays keep the names they had on their machine, whichever that was.
  const config = [
    'HOMEHOST <ignore>',
    'AUTO +all',
    `DEVICE ${members.map(({ device }) => device).join(' ')}${containers}`,
  ];
  writeFileSync(CONFIG, `${config.join('\n')}\n`);
  const words = ['--assemble', '--scan', '--readonly', `--config=${CONFIG}`];
  // Firmware's arrays are wanted on machines without that firmware, too.
  const { code, stderr } = await run(mdadm, words, { env: { IMSM_NO_PLATFORM: '1' } });
  const refused = stderr.split('\n').find((line) => /not enough|failed|cannot/.test(line));
  if (code === 0 && !refused) return;
  const why = (refused ?? `mdadm ended with ${code}`).replace(/^mdadm: |\.$/g, '');
  storage.problem(`The RAID array of ${names(members)} is not started: ${why}.`);
}

function startReadOnly(): void {
  try {
    writeFileSync(START_READ_ONLY, '1');
  } catch {
    // Each array is started read-only anyway.
  }
}

/** Tells which arrays lack disks. */
export function tellDegraded(storage: StorageContext, devices: readonly StorageDevice[]): void {
  for (const { device, array } of devices) {
    if (array?.active && array.missing > 0)
      storage.problem(
        `The RAID array ${device} (${array.level}) is degraded: ${array.missing} of its ${array.disks} disks ${array.missing > 1 ? 'are' : 'is'} missing.`,
      );
  }
}

const names = (devices: readonly StorageDevice[]): string => devices.map(({ device }) => device).join(', ');
