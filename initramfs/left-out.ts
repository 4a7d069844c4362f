import { AliasIndex, fold } from 'node-kmod-deps/tree';
import { type LeftOutModule, leftOutReason, parseLeftOut } from '../contract/left-out.ts';
import type { MissingModule } from '../contract/report.ts';

/** Modules of this kernel that the boot image does not have, found by what would ask for them. */
export class LeftOut {
  readonly #modules: Map<string, LeftOutModule>;
  readonly #aliases: AliasIndex;

  constructor(text: string) {
    const modules = parseLeftOut(text);
    this.#modules = new Map(modules.map((module) => [module.name, module]));
    this.#aliases = new AliasIndex(
      modules.flatMap(({ name, aliases }) => aliases.map((pattern) => ({ pattern, name }))),
    );
  }

  /** Those a module name or modalias stands for. */
  find(nameOrAlias: string): MissingModule[] {
    const own = fold(nameOrAlias);
    const names = this.#modules.has(own) ? [own] : this.#aliases.match(nameOrAlias);
    return names.map((name) => ({
      module: name,
      why: leftOutReason(this.#modules.get(name)?.state ?? 'unchosen'),
    }));
  }
}
