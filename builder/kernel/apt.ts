import { join, resolve } from 'node:path';
import fs from 'fs-extra';
import { MindiError } from '../../contract/error.ts';
import { cacheDirectory, hashOf, writeBeside } from '../cache.ts';
import { type RunResult, run } from '../run.ts';

/** What apt knows of one package version. */
interface AptPackage {
  name: string;
  version: string;
  sha256: string;
  /** First alternative of each dependency, `name` or `name=version`. */
  depends: string[];
}

/**
 * One way to ask apt. All of them keep apt's caches below mindi's own cache and never write to the system's, so that no
 * root is needed: `system` reads the lists this machine has, `updated` fetches lists from this machine's sources into a
 * place of its own, `named` does so from the sources given, for another architecture where one is named.
 */
type View = { kind: 'system' } | { kind: 'updated' } | { kind: 'named'; source: string; architecture?: string };

/** `name`, `name:arch`, `name=version`. */
const PACKAGE_NAME = /^[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?(=[A-Za-z0-9.+:~-]+)?$/;
/** Dependencies that are parts of a kernel: Debian and Ubuntu split it, and reach it through metapackages. */
const KERNEL_PART = /^linux-(image|binary|modules)-|^linux-base-\d/;

export const isPackageName = (text: string): boolean => PACKAGE_NAME.test(text);

/**
 * Downloads a Debian kernel package and the kernel packages it depends on into `directory`.
 * @param source sources.list lines to fall back on when this machine's sources do not know the package
 * @returns the .deb files, the named package first
 * @throws MindiError `kernel.package-unknown`, `kernel.no-apt`, or apt's own words
 */
export async function fetchKernelPackages(name: string, directory: string, source?: string): Promise<string[]> {
  try {
    return await fetchFromAny(name, directory, KERNEL_PART, source);
  } catch (error) {
    if (!(error instanceof MindiError)) throw error;
    if (error.code === 'tool.missing') throw noApt(name, error);
    throw error.code === 'tool.failed' ? notFetched(name, error) : error;
  }
}

/**
 * Downloads one Debian package, without what it depends on, into `directory`.
 * @param source sources.list lines to fall back on when this machine's sources do not know the package
 * @throws MindiError `kernel.package-unknown`, `tool.missing`, or apt's own words
 */
export async function fetchPackage(name: string, directory: string, source: string): Promise<string> {
  const [file] = await fetchFromAny(name, directory, null, source);
  if (!file) throw unknownPackage(name);
  return file;
}

/** The first view that knows the package gives it; apt's own failure says more than that nobody knows it. */
async function fetchFromAny(
  name: string,
  directory: string,
  follow: RegExp | null,
  source?: string,
): Promise<string[]> {
  const views: View[] = [{ kind: 'system' }, { kind: 'updated' }];
  if (source) views.push({ kind: 'named', source });
  let problem: MindiError | undefined;
  for (const view of views) {
    try {
      return await fetchFrom(view, name, directory, follow);
    } catch (error) {
      if (!(error instanceof MindiError) || error.code === 'tool.missing') throw error;
      if (problem?.code !== 'tool.failed') problem = error;
    }
  }
  throw problem;
}

/**
 * The same from the given sources alone: another suite's kernel, whatever this machine knows under that name.
 * @param architecture Debian's name of it; this machine's if not given
 * @throws MindiError `kernel.package-unknown`, `tool.missing`, or apt's own words
 */
export function fetchFromSource(
  name: string,
  directory: string,
  source: string,
  architecture?: string,
): Promise<string[]> {
  return fetchFrom({ kind: 'named', source, ...(architecture ? { architecture } : {}) }, name, directory, KERNEL_PART);
}

async function fetchFrom(view: View, name: string, directory: string, follow: RegExp | null): Promise<string[]> {
  const config = await writeConfig(view);
  // Another source that cannot be reached must not matter here; whether the package is known then, will show.
  if (view.kind !== 'system') await apt('apt-get', config, ['update'], directory, [100]);
  return download(config, await partsOf(config, name, directory, follow), directory);
}

/** The named package and, breadth first, every package it leads to whose name `follow` matches. */
async function partsOf(config: string, name: string, directory: string, follow: RegExp | null): Promise<AptPackage[]> {
  const found = new Map<string, AptPackage>();
  let wanted = [name];
  while (wanted.length > 0) {
    const { stdout } = await apt('apt-cache', config, ['show', '--no-all-versions', ...wanted], directory, [100]);
    const packages = parsePackages(stdout);
    for (const one of packages) found.set(one.name, one);
    if (found.size === 0) throw unknownPackage(name);
    const next = packages.flatMap((one) => one.depends).filter((dependency) => follow?.test(dependency));
    wanted = [...new Set(next)].filter((dependency) => !found.has(dependency.replace(/=.*/, '')));
    if (packages.length === 0) throw unknownPackage(wanted[0] ?? name);
  }
  return [...found.values()];
}

async function download(config: string, parts: readonly AptPackage[], directory: string): Promise<string[]> {
  const place = await fs.mkdtemp(join(directory, 'apt-'));
  await apt('apt-get', config, ['download', ...parts.map((part) => `${part.name}=${part.version}`)], place);
  const files = await fs.readdir(place);
  return parts.map((part) => {
    const file = files.find((entry) => entry.startsWith(`${part.name}_`));
    if (!file) throw unknownPackage(part.name);
    return join(place, file);
  });
}

function apt(program: string, config: string, args: string[], cwd: string, accept: number[] = []): Promise<RunResult> {
  return run(program, [`-c=${config}`, '-q=2', ...args], { cwd, accept, env: { DEBIAN_FRONTEND: 'noninteractive' } });
}

/**
 * An apt.conf that keeps apt away from everything it would write on this system. Command-line `-c` files are read
 * after the system's, so hooks of `apt-get update` (which clean or index the system's caches) can be cleared here.
 */
async function writeConfig(view: View): Promise<string> {
  // Each set of sources has lists of its own: apt forgets those of all others.
  const place = resolve(
    cacheDirectory(
      'apt',
      view.kind === 'named' ? `named-${hashOf([view.source, view.architecture]).slice(0, 12)}` : view.kind,
    ),
  );
  await fs.ensureDir(join(place, 'cache', 'archives', 'partial'));
  const lines = [
    `Dir::Cache "${place}/cache";`,
    'APT::Sandbox::User "root";',
    'APT::Install-Recommends "false";',
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
  ];
  if (view.kind !== 'system') {
    await fs.ensureDir(join(place, 'state', 'lists', 'partial'));
    lines.push(`Dir::State "${place}/state";`);
  }
  if (view.kind === 'named') {
    await replace(join(place, 'sources.list'), view.source);
    lines.push(`Dir::Etc::SourceList "${place}/sources.list";`, 'Dir::Etc::SourceParts "/dev/null";');
    lines.push('Dir::State::status "/dev/null";');
    const { architecture } = view;
    if (architecture) lines.push(`APT::Architecture "${architecture}";`, `APT::Architectures { "${architecture}"; };`);
  }
  const config = join(place, 'apt.conf');
  await replace(config, `${lines.join('\n')}\n`);
  return config;
}

const replace = (path: string, text: string) => writeBeside(path, (temporary) => fs.writeFile(temporary, text));

/** Reads the stanzas `apt-cache show` prints (deb822, continuation lines start with a space). */
function parsePackages(text: string): AptPackage[] {
  return text
    .split(/\n\n+/)
    .map((stanza) => new Map([...stanza.matchAll(/^([\w-]+): *(.*)$/gm)].map(([, key, value]) => [key, value ?? ''])))
    .filter((fields) => fields.get('Package') && fields.get('SHA256'))
    .map((fields) => ({
      name: fields.get('Package') ?? '',
      version: fields.get('Version') ?? '',
      sha256: fields.get('SHA256') ?? '',
      depends: parseDepends([fields.get('Pre-Depends'), fields.get('Depends')].filter(Boolean).join(',')),
    }));
}

function parseDepends(text: string): string[] {
  return text
    .split(',')
    .map((relation) => (relation.split('|')[0] ?? '').trim())
    .map((relation) =>
      relation.replace(/^([^\s(:]+)\S*(?: *\(= *([^)\s]+)\))?.*$/, (_, name, exact) =>
        exact ? `${name}=${exact}` : name,
      ),
    )
    .filter(Boolean);
}

function unknownPackage(name: string): MindiError {
  return new MindiError(`apt knows no package ${name}`, {
    code: 'kernel.package-unknown',
    hint: 'Check the name with `apt-cache policy`, or name a .deb, .rpm, .pkg.tar.zst or .apk file.',
  });
}

function notFetched(name: string, cause: MindiError): MindiError {
  return new MindiError(`cannot fetch the kernel package ${name}: ${cause.message}`, {
    code: 'kernel.fetch-failed',
    hint: 'Is the network up? A kernel fetched once needs none; or name a kernel package file.',
    cause,
  });
}

function noApt(name: string, cause: MindiError): MindiError {
  return new MindiError(`the kernel package ${name} is fetched with apt, and this machine has no apt`, {
    code: 'kernel.no-apt',
    hint: 'Name a kernel package file (`kernel: {package: FILE.rpm}`) or an image and its modules.',
    cause,
  });
}
