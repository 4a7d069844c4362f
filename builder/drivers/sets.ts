import { readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import fs from 'fs-extra';
import { MindiError } from '../../contract/error.ts';
import { together } from '../../contract/settings/problems.ts';
import { didYouMean } from '../../contract/settings/suggest.ts';
import { shown } from '../../contract/settings/text.ts';
import { type Static, Type } from '../../contract/settings/type.ts';
import { nodeAt, plain, readYaml } from '../../contract/settings/yaml.ts';
import { checked } from '../checked.ts';
import { parseSelector, type Selector } from './selector.ts';

/** mindi's own driver sets. */
export const DRIVER_SETS = fileURLToPath(new URL('../../profiles/drivers', import.meta.url));

const selectors = (description: string) => Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description }));

/** A driver set as a person writes it: profiles/drivers/NAME.yaml. */
export const DriverSetSchema = Type.Object(
  {
    description: Type.String({ description: 'one line that says what hardware this is' }),
    sets: selectors('other sets this one takes in'),
    essential: selectors('selectors of what must be in the initrd: it leads to the medium, or to a keyboard'),
    modules: selectors('selectors of the rest, which comes with the second stage'),
    load: selectors('modules loaded at boot by name, because no device asks for them'),
  },
  { additionalProperties: false },
);

export interface DriverSet {
  name: string;
  description: string;
  /** Absolute. */
  file: string;
  essential: Selector[];
  modules: Selector[];
  load: string[];
}

const YAML = /\.ya?ml$/;

/**
 * Reads driver sets by name (from the directories, the first that has it) or by path, and the sets those take in. Each
 * comes once, before the set that took it in.
 * @throws MindiError `driver-set.not-found`, `driver-set.cycle`, or what is wrong in the files, all of it at once
 */
export async function loadDriverSets(
  names: readonly string[],
  directories: readonly string[] = [DRIVER_SETS],
  where: (index: number) => string | undefined = () => undefined,
): Promise<DriverSet[]> {
  const loader = new Loader(directories);
  for (const [i, name] of names.entries()) await loader.load(name, process.cwd(), where(i), []);
  if (loader.problems.length > 0) throw together(loader.problems, 'driver sets', 'driver-set.invalid');
  return [...loader.sets.values()].flatMap((set) => (set ? [set] : []));
}

/** Names of the sets in the directories, sorted. */
export function driverSetNames(directories: readonly string[] = [DRIVER_SETS]): string[] {
  const files = directories.flatMap((directory) => readdirSync(directory).filter((name) => YAML.test(name)));
  return [...new Set(files.map((file) => file.replace(YAML, '')))].sort();
}

class Loader {
  /** By file; null while a file is being read or when it is wrong. */
  readonly sets = new Map<string, DriverSet | null>();
  readonly problems: MindiError[] = [];
  readonly #directories: readonly string[];

  constructor(directories: readonly string[]) {
    this.#directories = directories;
  }

  async load(name: string, from: string, where: string | undefined, chain: readonly string[]): Promise<void> {
    const file = await this.#locate(name, from);
    if (file === undefined) {
      this.problems.push(this.#notFound(name, where));
    } else if (chain.includes(file)) {
      const names = [...chain.slice(chain.indexOf(file)), file].map(shown);
      this.problems.push(cycle(names, where));
    } else if (!this.sets.has(file)) {
      const set = await this.#read(file, [...chain, file]);
      this.sets.set(file, set);
    }
  }

  async #read(file: string, chain: readonly string[]): Promise<DriverSet | null> {
    try {
      const root = await readYaml(file, 'driver set');
      const wrong = await checked(root, DriverSetSchema, 'driver-set');
      this.problems.push(...wrong);
      if (wrong.length > 0) return null;
      const text = plain(root) as Static<typeof DriverSetSchema>;
      const place = (...path: (string | number)[]) => nodeAt(root, path).place;
      for (const [i, name] of (text.sets ?? []).entries())
        await this.load(name, dirname(file), place('sets', i), chain);
      const parse = (key: 'essential' | 'modules') =>
        (text[key] ?? []).flatMap((selector, i) => this.#selector(selector, place(key, i)));
      const name = basename(file).replace(YAML, '');
      const { description, load = [] } = text;
      return { name, description, file, essential: parse('essential'), modules: parse('modules'), load };
    } catch (error) {
      if (!(error instanceof MindiError)) throw error;
      this.problems.push(...(error.problems.length > 0 ? error.problems : [error]));
      return null;
    }
  }

  #selector(text: string, where: string): Selector[] {
    try {
      return [parseSelector(text, where)];
    } catch (error) {
      if (!(error instanceof MindiError)) throw error;
      this.problems.push(error);
      return [];
    }
  }

  async #locate(name: string, from: string): Promise<string | undefined> {
    const isPath = name.includes('/') || YAML.test(name);
    const candidates = isPath
      ? [resolve(from, name)]
      : this.#directories.map((each) => resolve(join(each, `${name}.yaml`)));
    for (const file of candidates) if (await fs.pathExists(file)) return file;
    return undefined;
  }

  #notFound(name: string, where: string | undefined): MindiError {
    const names = driverSetNames(this.#directories);
    return new MindiError(`there is no driver set ${JSON.stringify(name)}`, {
      code: 'driver-set.not-found',
      where,
      hint: didYouMean(name, names) ?? `The driver sets are ${names.join(', ')}; a path names one of your own.`,
    });
  }
}

function cycle(names: readonly string[], where: string | undefined): MindiError {
  return new MindiError(`the driver set takes in itself: ${names.join(' -> ')}`, {
    code: 'driver-set.cycle',
    where,
    hint: 'Remove one of these `sets:` entries.',
  });
}
