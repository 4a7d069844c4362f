import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AliasIndex, foldAlias, type ModuleTree, type Target } from 'node-kmod-deps';
import { NO_DRIVER } from './words.ts';

/** Firmware a driver declares, relative to /lib/firmware. */
export interface FirmwareState {
  present: string[];
  missing: string[];
}

/** One kernel with the media made for it, or found. */
export interface Medium {
  tree: ModuleTree;
  /** Whether the tree is only what is on the media: what else the kernel has is not known. */
  partial: boolean;
  onMedia(module: string): boolean;
  /** Why a module of this kernel is not on the media, and what would bring it. */
  absence(module: string): Promise<{ why: string; bring: string[] }>;
  /** Null for a driver that declares none. */
  firmware(module: string): Promise<FirmwareState | null>;
}

/**
 * `module`: on the media; `builtin`: part of the kernel; `not-on-media`: the kernel has one, the media do not; `absent`:
 * the kernel has none.
 */
export interface Answer {
  status: 'module' | 'builtin' | 'not-on-media' | 'absent';
  module: string | null;
  why: string | null;
  bring: string[];
  firmware: FirmwareState | null;
}

/** What a medium has for a device, or for a driver by its name where no device is given. */
export async function answer(
  { device, module }: { device?: string | null; module?: string | null },
  medium: Medium,
): Promise<Answer> {
  const targets = targetsOf(medium.tree, device, module);
  const best = bestOf(targets, module, medium);
  if (!best) return absent(device, module, medium.tree);
  const { name, builtin } = best;
  if (builtin || medium.onMedia(name)) {
    const firmware = await medium.firmware(name);
    return { status: builtin ? 'builtin' : 'module', module: name, why: null, bring: [], firmware };
  }
  return { status: 'not-on-media', module: name, ...(await medium.absence(name)), firmware: null };
}

/** Built-in drivers first: they take a device before any module is loaded. */
function targetsOf(tree: ModuleTree, device: string | null | undefined, module: string | null | undefined): Target[] {
  const found = tree.lookup(device ?? module ?? '');
  if (device === undefined || device === null) return found;
  const silent = found.length === 0 && module ? [module] : [];
  const builtin = [...builtinAnswering(device), ...silent].filter((name) => tree.isBuiltin(name) && !tree.has(name));
  return [...[...new Set(builtin)].map((name) => ({ name, builtin: true })), ...found];
}

/** The driver that was asked for where it is among them, else one that is there, else any. */
function bestOf(targets: readonly Target[], module: string | null | undefined, medium: Medium): Target | undefined {
  return (
    targets.find(({ name }) => name === module) ??
    targets.find(({ name, builtin }) => builtin || medium.onMedia(name)) ??
    targets[0]
  );
}

function absent(device: string | null | undefined, module: string | null | undefined, tree: ModuleTree): Answer {
  const other = device && module && tree.has(module);
  const why = other ? `this kernel's ${module} does not know this device` : NO_DRIVER;
  return { status: 'absent', module: null, why, bring: [], firmware: null };
}

const TABLE = fileURLToPath(new URL('./builtin-aliases.txt', import.meta.url));
let index: AliasIndex | undefined;

/** Drivers that would answer if they were built in: most kernels' files do not tell what their built-in ones answer. */
function builtinAnswering(device: string): string[] {
  index ??= new AliasIndex(
    readFileSync(TABLE, 'utf8')
      .split('\n')
      .filter((line) => line && !line.startsWith('#'))
      .flatMap((line) => {
        const [name = '', ...patterns] = line.split(/:? /);
        return patterns.map((pattern) => ({ pattern, name }));
      }),
  );
  return index.match(foldAlias(device));
}
