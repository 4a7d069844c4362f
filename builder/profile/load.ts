import { readdirSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import fs from 'fs-extra';
import { MindiError } from '../../contract/error.ts';
import { checkNetwork } from '../../contract/settings/network.ts';
import { together } from '../../contract/settings/problems.ts';
import { didYouMean } from '../../contract/settings/suggest.ts';
import { shown } from '../../contract/settings/text.ts';
import { type Located, nodeAt, plain, readYaml } from '../../contract/settings/yaml.ts';
import { checked } from '../checked.ts';
import { checkArchive } from './archive.ts';
import { merge, without } from './merge.ts';
import { absolutePaths } from './paths.ts';
import { ProfileSchema, type Settings } from './schema.ts';

/** A profile with everything it extends merged in: every field has its value, every path is absolute. */
export interface Profile extends Settings {
  /** The profile's own file, absolute. Of this machine: never on the media. */
  file: string;
  /**
   * `file:line:column` of where a value was written, in whichever file of the chain said it:
   * `where(['drivers', 'include', 0])`. A value that is not there gives the place of what would hold it.
   */
  where(path: readonly (string | number)[]): string;
}

export interface LoadOptions {
  /** Where the built-in profiles lie, NAME.yaml; mindi's own profiles/ when not given. */
  profilesDirectory?: string;
}

/** mindi's own profiles/. */
export const PROFILES = fileURLToPath(new URL('../../profiles', import.meta.url));

/** What a profile that extends nothing leaves unsaid is as in this built-in. */
const COMPLETE = join(PROFILES, 'standalone.yaml');

/** These say something of one file only and are never inherited. */
const OWN = ['name', 'description', 'extends'];

const YAML = /\.ya?ml$/;

/** One file of the chain. */
interface Link {
  file: string;
  root: Located;
}

/**
 * Loads a profile: a built-in by name (`standalone`) or a file (anything with a / or ending in .yaml or .yml).
 *
 * How `extends:` merges: a section (drivers, tools, boot …) key by key; everything else, lists, kernel and mountlist
 * included, replaces what was inherited. In a list the item `...` stands for the inherited items. What nothing in the
 * chain says is as in the built-in `standalone`. Relative paths are relative to the file that says them.
 * @throws MindiError with every problem of every file in the chain.
 */
export async function loadProfile(nameOrPath: string, options: LoadOptions = {}): Promise<Profile> {
  const builtins = options.profilesDirectory ?? PROFILES;
  const file = await locate(nameOrPath, process.cwd(), builtins);
  const { chain, problems } = await readChain(file, builtins);
  if (problems.length > 0) throw together(problems, shown(file), 'profile.invalid');

  const root = chain
    .map((link) => absolutePaths(link.root, dirname(link.file)))
    .reduceRight((base, own) => merge(without(base, OWN), own, ProfileSchema));
  const settings = { description: '', ...(plain(without(root, ['extends'])) as object) } as Settings;
  return { ...settings, file, where: (path) => nodeAt(root, path).place };
}

/** Names of the built-in profiles, sorted. */
export function builtinProfiles(directory: string = PROFILES): string[] {
  return yamlFiles(directory)
    .map((file) => file.replace(YAML, ''))
    .sort();
}

/** The file and everything it extends, itself first, the complete built-in last; and all that is wrong with them. */
async function readChain(file: string, builtins: string): Promise<{ chain: Link[]; problems: MindiError[] }> {
  const chain: Link[] = [];
  const problems: MindiError[] = [];
  try {
    for (let next: string | undefined = file; next; next = await parent(chain, builtins)) {
      const root = await readYaml(next, 'profile');
      chain.push({ file: next, root });
      const wrong = await checked(root, ProfileSchema, 'profile');
      problems.push(...wrong, ...checkNetwork(root), ...checkArchive(root));
    }
  } catch (error) {
    if (!(error instanceof MindiError)) throw error;
    problems.push(...(error.problems.length > 0 ? error.problems : [error]));
  }
  if (problems.length === 0 && !chain.some((link) => isSame(link.file, COMPLETE))) {
    chain.push({ file: COMPLETE, root: await readYaml(COMPLETE, 'profile') });
  }
  return { chain, problems };
}

/** The file the last link extends, if it does. A cycle is an error that names the whole chain. */
async function parent(chain: readonly Link[], builtins: string): Promise<string | undefined> {
  const last = chain.at(-1) as Link;
  const named = last.root.value instanceof Map ? last.root.value.get('extends') : undefined;
  if (typeof named?.value !== 'string' || named.value === '') return undefined;
  const file = await locate(named.value, dirname(last.file), builtins, named.place);
  const start = chain.findIndex((link) => isSame(link.file, file));
  if (start < 0) return file;
  const names = [...chain.slice(start).map((link) => shown(link.file)), shown(file)];
  throw new MindiError(`the profile extends itself: ${names.join(' -> ')}`, {
    code: 'profile.cycle',
    where: named.place,
    hint: 'Remove one of these `extends:` lines.',
  });
}

/** A built-in by its bare name; anything else is a file, relative to `directory`. */
async function locate(nameOrPath: string, directory: string, builtins: string, where?: string): Promise<string> {
  const bare = !nameOrPath.includes('/') && !YAML.test(nameOrPath);
  const builtin = join(builtins, `${nameOrPath}.yaml`);
  if (bare && (await fs.pathExists(builtin))) return builtin;
  const file = resolve(directory, nameOrPath);
  if (await fs.pathExists(file)) return file;
  throw notFound(nameOrPath, file, builtins, where);
}

function notFound(nameOrPath: string, file: string, builtins: string, where: string | undefined): MindiError {
  const names = builtinProfiles(builtins);
  const beside = siblings(nameOrPath, file);
  const near = didYouMean(nameOrPath, [...names, ...beside]);
  return new MindiError(`there is no profile ${JSON.stringify(nameOrPath)}`, {
    code: 'profile.not-found',
    where: where ?? shown(file),
    hint: near ?? `Built-in profiles: ${names.join(', ')}; \`mindi new\` writes one of your own.`,
  });
}

/** The YAML files beside a file that is not there, named as the person named it. */
function siblings(nameOrPath: string, file: string): string[] {
  const prefix = nameOrPath.slice(0, nameOrPath.lastIndexOf('/') + 1);
  return yamlFiles(dirname(file)).map((name) => prefix + name);
}

/** Names for suggestions only, so a directory that cannot be read simply has none. */
function yamlFiles(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => YAML.test(name));
  } catch {
    return [];
  }
}

const isSame = (one: string, other: string) => realpathSync(one) === realpathSync(other);
