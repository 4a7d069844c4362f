import { fold, foldAlias } from './names.ts';
import { type Alias, directives, parseSoftdep, type Softdep } from './parse.ts';

/** What modprobe.d says, in the order modprobe reads it. */
export interface ModprobeConfig {
  aliases: Alias[];
  /** Module names not to be loaded through an alias. */
  blacklist: Set<string>;
  /** Shell command run instead of inserting the module. */
  install: Map<string, string>;
  /** Module parameters, by module. */
  options: Map<string, string>;
  /** From files whose name sorts before `modules.softdep`: they win over the tree's own. */
  softdepsFirst: Softdep[];
  softdepsLast: Softdep[];
}

/** A configuration file; `name` is its base name (`blacklist.conf`): modprobe reads them sorted by it. */
export interface ConfigFile {
  name: string;
  text: string;
}

/** Reads modprobe.d files (modprobe.d(5)). What it does not know (`remove`, `config`) it ignores, as modprobe does. */
export function parseModprobeConfig(files: readonly ConfigFile[] = []): ModprobeConfig {
  const config: ModprobeConfig = {
    aliases: [],
    blacklist: new Set(),
    install: new Map(),
    options: new Map(),
    softdepsFirst: [],
    softdepsLast: [],
  };
  for (const { name, text } of [...files].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    for (const [pattern = '', module] of directives(text, 'alias')) {
      if (module) config.aliases.push({ pattern: foldAlias(pattern), name: fold(module) });
    }
    for (const [module = ''] of directives(text, 'blacklist')) config.blacklist.add(fold(module));
    for (const [module = '', ...command] of directives(text, 'install')) {
      if (!config.install.has(fold(module))) config.install.set(fold(module), command.join(' '));
    }
    for (const [module = '', ...values] of directives(text, 'options'))
      addOptions(config.options, fold(module), values);
    const softdeps = name < 'modules.softdep' ? config.softdepsFirst : config.softdepsLast;
    softdeps.push(...parseSoftdep(text));
  }
  return config;
}

function addOptions(options: Map<string, string>, module: string, values: readonly string[]): void {
  const before = options.get(module);
  options.set(module, [...(before ? [before] : []), ...values].join(' '));
}
