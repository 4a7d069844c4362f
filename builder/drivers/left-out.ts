import type { ModuleTree } from 'node-kmod-deps';
import { isOfUse, type LeftOutModule, type LeftOutState } from '../../contract/left-out.ts';
import type { DriverSelection } from './resolve.ts';

/** Every loadable module of the kernel that the initrd does not have, and what could ask for it. */
export function leftOutModules(
  tree: ModuleTree,
  { essential, modules, forbidden }: Pick<DriverSelection, 'essential' | 'modules' | 'forbidden'>,
): LeftOutModule[] {
  const here = new Set(essential);
  const aliases = Map.groupBy(
    tree.aliases.filter(({ pattern }) => isOfUse(pattern)),
    ({ name }) => name,
  );
  const stateOf = (name: string): LeftOutState => {
    if (modules.has(name)) return 'stage2';
    const because = forbidden.get(name);
    if (because === undefined) return 'unchosen';
    return because === name ? 'excluded' : `needs:${because}`;
  };
  return tree.names
    .filter((name) => !here.has(name))
    .map((name) => ({
      name,
      state: stateOf(name),
      aliases: [...new Set(aliases.get(name)?.map(({ pattern }) => pattern))],
    }));
}
