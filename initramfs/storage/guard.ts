import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { PATHS } from '../../contract/rescue-config.ts';
import { log } from '../log.ts';
import { busybox, complaint, run } from '../process.ts';
import { blockDevices, diskOf, diskSequence, partitionsOf, slaves } from './block-devices.ts';
import { reloadWritable } from './mapper.ts';

const GUARD = '/usr/lib/mindi/guard';
/** What the guard leaves alone; its format is told there. */
const WRITABLE = '/run/mindi/writable';

/** Makes every disk, partition, array and volume read-only, but for those the guard was lifted from. */
export async function guardAll(): Promise<void> {
  await run(GUARD, ['all'], { limit: 15 });
}

/** The guard stays, and why. */
export class GuardError extends Error {}

/**
 * Lets devices be written to: the only way there is. All that they are built on may then be written to as well; of the
 * disk of a partition that means the whole of it, though its other partitions stay as they are. An array or volume
 * that was started read-only stays so until it is started again.
 * @param devices nodes as StorageDevice.device has them
 * @param why for the log: who asked, and for what
 * @throws GuardError when this medium must not write, or the kernel refuses
 */
export async function liftGuard(devices: readonly string[], why: string): Promise<void> {
  if (existsSync(PATHS.untrusted))
    throw new GuardError(
      `This medium is not what was built, so that it lets nothing be written: ${readFileSync(PATHS.untrusted, 'utf8').trim()}`,
    );
  const all = blockDevices();
  for (const device of devices) {
    const found = all.find((one) => one.device === device || `/dev/${one.name}` === device);
    if (!found) throw new GuardError(`There is no disk ${device}.`);
    log(`the guard is lifted from ${device}: ${why}`);
    await lift(found.name);
  }
}

/**
 * Lets a device be written to as long as `work` takes; then the guard is back, where it was before.
 * @throws GuardError, and what `work` throws
 */
export async function whileWritable<T>(device: string, why: string, work: () => Promise<T>): Promise<T> {
  const before = new Set(lifted());
  await liftGuard([device], why);
  const added = new Set(lifted().filter((line) => !before.has(line)));
  try {
    return await work();
  } finally {
    writeFileSync(
      WRITABLE,
      lifted()
        .map((line) => (added.has(line) ? '' : `${line}\n`))
        .join(''),
    );
    await guardAll();
    log(`the guard is back on ${device}`);
  }
}

/** What is below comes first: nothing can be written to on a disk that is read-only. */
async function lift(name: string): Promise<void> {
  for (const below of slaves(name)) await lift(below);
  const disk = diskOf(name);
  if (disk === name) {
    remember(`${name} ${diskSequence(disk)} all`);
    const failed = await reloadWritable(name);
    if (failed) throw new GuardError(`/dev/${name} stays as it is: ${failed}.`);
    for (const one of [name, ...partitionsOf(name)]) await setReadOnly(one, false);
    return;
  }
  // While the disk is read-only its partitions are, whatever was said of them.
  for (const other of partitionsOf(disk)) if (other !== name && !remembered(other)) await setReadOnly(other, true);
  remember(`${disk} ${diskSequence(disk)}`);
  remember(`${name} ${diskSequence(disk)}`);
  for (const one of [disk, name]) await setReadOnly(one, false);
}

function remember(line: string): void {
  mkdirSync(dirname(WRITABLE), { recursive: true });
  appendFileSync(WRITABLE, `${line}\n`);
}

function remembered(name: string): boolean {
  const disk = diskOf(name);
  const lines = lifted();
  return lines.includes(`${name} ${diskSequence(disk)}`) || lines.includes(`${disk} ${diskSequence(disk)} all`);
}

function lifted(): string[] {
  return existsSync(WRITABLE) ? readFileSync(WRITABLE, 'utf8').split('\n').filter(Boolean) : [];
}

async function setReadOnly(name: string, readOnly: boolean): Promise<void> {
  const node = `/dev/${name.replaceAll('!', '/')}`;
  const result = await busybox(['blockdev', readOnly ? '--setro' : '--setrw', node], { limit: 15 });
  if (result.code !== 0) throw new GuardError(`${node} stays as it is: ${complaint(result)}.`);
}
