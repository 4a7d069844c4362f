import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type ModuleTree, moduleName, type ProbeStep } from 'node-kmod-deps';
import { expect } from 'vitest';
import { modaliasOf } from './modaliases.ts';

/** Programs are small and machines have few processors. */
const AT_ONCE = 4;

/** modprobe on a tree below `root/lib/modules/RELEASE`, without this machine's configuration: the lines it prints. */
export function modprobeOf(root: string, release: string): (...args: string[]) => Promise<string[]> {
  return async (...args) => {
    const all = ['-d', root, '-S', release, '-C', '/dev/null', '-q', ...args];
    const { stdout } = await promisify(execFile)('modprobe', all).catch((error: { stdout: string }) => error);
    return stdout.split('\n').filter(Boolean);
  };
}

/**
 * For every module: its hard dependencies are those of modules.dep, and what we would load is what modprobe
 * --show-depends would. Those with soft dependencies, asked one by one, can be thinned out to every `nth`.
 */
export async function expectLoadOrder(
  tree: ModuleTree,
  modprobe: ReturnType<typeof modprobeOf>,
  nth = 1,
): Promise<void> {
  const written = new Map(
    (tree.text('modules.dep') ?? '').split('\n').map((line) => line.split(':') as [string, string]),
  );
  const plain: string[] = [];
  const special: string[] = [];
  for (const name of tree.names) {
    const needs = (written.get(tree.path(name) ?? '') ?? '').split(' ').filter(Boolean).map(moduleName);
    expect([name, ...tree.hard(name)]).toEqual([name, ...needs]);
    const soft = [name, ...needs].flatMap((each) => Object.values(tree.soft(each)).flat());
    (soft.length === 0 ? plain : special).push(name);
  }
  // Without soft dependencies no module is printed twice, so one modprobe can answer for many.
  for (let i = 0; i < plain.length; i += 500) {
    const names = plain.slice(i, i + 500);
    const printed = await modprobe('-a', '--show-depends', ...names);
    expect(printed.map(shown)).toEqual(names.flatMap((name) => tree.probe(name).map(stepName)));
  }
  const asked = special.filter((_, i) => i % nth === 0);
  await eachOf(asked, async (name) => {
    const printed = await modprobe('--show-depends', name);
    expect([name, ...tree.probe(name).map(stepName)]).toEqual([name, ...new Set(printed.map(shown))]);
  });
}

/**
 * For modaliases made of every nth pattern, and real ones: we find what modprobe -R finds. Returns how many were compared.
 */
export async function expectAliases(
  tree: ModuleTree,
  modprobe: ReturnType<typeof modprobeOf>,
  nth: number,
  real: readonly string[] = [],
): Promise<number> {
  const patterns = [...tree.aliases, ...tree.builtinAliases].filter((_, i) => i % nth === 0);
  const made = patterns
    .flatMap(({ pattern }, i) => modaliasOf(pattern, i))
    .flatMap((alias) => [alias, alias.slice(0, -1)]);
  const modaliases = [...new Set([...made, ...real, ...NAMES])];
  await eachOf(modaliases, async (alias) => {
    expect([alias, ...tree.matchAlias(alias)]).toEqual([alias, ...new Set(await modprobe('-R', alias))]);
  });
  return modaliases.length;
}

/** What else the kernel and people ask for. */
const NAMES = [
  'crypto-crc32c',
  'cbc(aes)',
  'symbol:scsi_add_lun',
  'net-pf-10',
  'nosuch',
  'sd-mod',
  'i8042',
  'fs-ext4',
  'char-major-9-0',
];

/** `insmod /lib/…/sd-mod.ko ` -> `sd_mod`; `builtin ext4` stays. */
function shown(line: string): string {
  return line.startsWith('insmod ') ? moduleName(line.slice('insmod '.length).trim()) : line.trim();
}

function stepName(step: ProbeStep): string {
  return step.action === 'builtin' ? `builtin ${step.name}` : step.name;
}

async function eachOf<T>(items: readonly T[], check: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await check(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
