import type { ModuleTree } from 'node-kmod-deps';
import type { FirmwareFate } from '../drivers/firmware.ts';
import type { Selection } from '../drivers/selection.ts';
import { ModuleSizes } from '../drivers/summary.ts';
import { kmodErrors } from '../drivers/tree.ts';
import type { SizeItem, Sizes } from './types.ts';

/** One file of the media, and what it is counted under. */
export interface SizedFile {
  kind: SizeItem['kind'];
  directory: string;
  set: string;
  bytes: number;
}

/**
 * Where the megabytes of a medium go: modules by directory of the kernel's source, or by the set that brought them; and
 * firmware. Null where the sizes are not known.
 */
export async function sizesOf(
  tree: ModuleTree,
  { modules }: Pick<Selection, 'modules'>,
  firmware: readonly FirmwareFate[],
): Promise<Sizes | null> {
  const sizes = new ModuleSizes(tree);
  const files: SizedFile[] = [];
  for (const [name, { stored, reasons }] of modules) {
    const bytes = await kmodErrors(() => sizes.of(name));
    if (bytes === null) return null;
    files.push({ kind: 'modules', directory: moduleDirectory(stored), set: setOf(reasons[0]?.rule ?? ''), bytes });
  }
  const present = firmware.filter(({ status }) => status === 'present');
  return summed([...files, ...present.map(({ file, size = 0 }) => firmwareFile(file, size))]);
}

/** The biggest first. */
export function summed(files: readonly SizedFile[]): Sizes {
  const by = (name: (file: SizedFile) => string): SizeItem[] =>
    [...Map.groupBy(files, (file) => `${file.kind}:${name(file)}`).values()]
      .map((group) => {
        const [first] = group as [SizedFile];
        const bytes = group.reduce((sum, file) => sum + file.bytes, 0);
        return { name: name(first), kind: first.kind, bytes, files: group.length };
      })
      .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
  return { byDirectory: by(({ directory }) => directory), bySet: by(({ set }) => set) };
}

export function firmwareFile(file: string, bytes: number): SizedFile {
  const [first = '', ...rest] = file.split('/');
  const directory = `firmware/${rest.length > 0 ? first : ''}`.replace(/\/$/, '');
  return { kind: 'firmware', directory, set: 'firmware', bytes };
}

/** How deep a directory is told: `drivers/net/ethernet/intel`. */
const DEEPEST = 4;

/** @param path as on the media: `kernel/drivers/scsi/sd_mod.ko` */
export function moduleDirectory(path: string): string {
  const directories = path
    .replace(/^kernel\//, '')
    .split('/')
    .slice(0, -1);
  return directories.slice(0, DEEPEST).join('/') || 'kernel';
}

/** `drivers.sets: scsi (drivers/scsi/), scope: …` is the set scsi. */
const setOf = (rule: string): string =>
  /^drivers\.(?:sets|migrateTo): (\S+)/.exec(rule)?.[1] ?? rule.split(':')[0] ?? rule;
