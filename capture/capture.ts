import { sectionOf, usesOf } from '../contract/layout/graph.ts';
import { emptyLayout, type Layout } from '../contract/layout/schema.ts';
import { isBind, parseFstab, parseMountinfo } from '../contract/mounts.ts';
import { captureArrays } from './arrays.ts';
import { type Block, blocksOf, isLasting } from './block.ts';
import type { Context } from './context.ts';
import { captureDisks } from './disks.ts';
import { captureEncrypted } from './encrypted.ts';
import { captureFilesystems } from './filesystems/index.ts';
import { captureLvm } from './lvm.ts';
import type { Machine } from './machine.ts';
import { captureMounts } from './mounts.ts';
import { capturePools } from './pools.ts';
import { captureTables } from './tables.ts';

/** The kinds of things there are, in the order in which they know each other's ids: LVM names volumes. */
const KINDS: readonly ((context: Context) => Promise<void>)[] = [
  captureDisks,
  captureTables,
  captureLvm,
  captureArrays,
  captureEncrypted,
  captureFilesystems,
  capturePools,
  captureMounts,
];

/**
 * The layout of a machine's disks. Reads only; what it finds and cannot say is in the layout's notes.
 * @param hostname null: the layout does not say whose it is
 */
export async function captureLayout(machine: Machine, hostname: string | null): Promise<Layout> {
  return (await capture(machine, hostname, false)).layout;
}

/** What a plan must know of a machine: also what is mounted for a while, below /mnt and /run, and what is in use. */
export async function captureMachine(
  machine: Machine,
): Promise<{ there: Layout; swapping: string[]; locked: string[] }> {
  const { layout, swapping, locked } = await capture(machine, null, true);
  return { there: layout, swapping, locked };
}

async function capture(machine: Machine, hostname: string | null, everywhere: boolean): Promise<Context> {
  const layout = emptyLayout(hostname);
  const note = (device: string, sentence: string) => {
    if (!layout.notes.some((one) => one.device === device && one.note === sentence))
      layout.notes.push({ device, note: sentence });
  };
  const found = (await blocksOf(machine)).filter(isLasting);
  const mounts = parseMountinfo((await machine.read('/proc/self/mountinfo')) ?? '').filter((mount) => !isBind(mount));
  const fstab = parseFstab((await machine.read('/etc/fstab')) ?? '');
  const blocks = found.filter((block) => !isVisitor(block, new Set(mounts.map(({ source }) => source))));
  const visitors = found.filter((block) => !blocks.includes(block) && block.parents.length === 0);
  for (const { id } of visitors) note(id, 'can be unplugged and is left out: nothing of this system is on it');
  if (found.length === 0) note('-', 'lsblk shows no disk');
  const context: Context = { machine, layout, blocks, mounts, fstab, everywhere, swapping: [], locked: [], note };
  for (const kind of KINDS) await kind(context);
  prune(context);
  return context;
}

/** What lies on something that is not in the layout cannot be in it, either. */
function prune({ layout, note }: Context): void {
  const drop = (section: string, id: string) => {
    delete (layout as unknown as Record<string, Record<string, unknown>>)[section]?.[id];
    note(id, 'lies on something that this layout cannot say, and is left out');
  };
  for (let found = true; found; ) {
    const orphans = usesOf(layout).filter(({ needs }) => needs.some((id) => !sectionOf(layout, id)));
    for (const { section, id } of orphans) drop(section, id);
    found = orphans.length > 0;
  }
}

/** A stick or disk somebody plugged in: nothing of it is mounted where the system lives. */
function isVisitor(block: Block, sources: ReadonlySet<string>): boolean {
  if (!block.portable) return false;
  const top = block.parents.find(({ portable }) => portable) ?? block;
  const uses = (one: Block): boolean =>
    sources.has(one.path) || sources.has(`/dev/${one.kname}`) || one.children.some(uses);
  return !uses(top);
}
