import fs from 'node:fs';
import { join } from 'node:path';
import { FAILSAFE } from '../kernel/failsafe.ts';
import { findKernel, modulesDirectory, type RunningKernel } from '../kernel/find.ts';
import { cachedKernel, configOf } from '../kernel/source.ts';
import { type Distro, distroOf, INSTALL, readOsRelease } from './distro.ts';
import { isStaticProgram } from './elf.ts';
import { kernelOptions } from './kernel-options.ts';
import { BUSYBOX, PROVISIONS } from './packages.ts';
import type { Need, Provision } from './provision.ts';

export interface Check {
  name: string;
  purpose: string;
  need: Need;
  /** Whether `mindi build` fails without it, on this machine. */
  required: boolean;
  /** Its path, or null when it is missing. */
  found: string | null;
  packages: Provision['packages'];
}

export interface KernelFact {
  name: string;
  required: boolean;
  found: boolean;
  /** One sentence or path for people. */
  detail: string;
}

export interface Diagnosis {
  /** True when nothing required is missing. */
  ok: boolean;
  /** null: os-release names no distribution mindi knows package names of. */
  distro: Distro | null;
  checks: Check[];
  kernel: KernelFact[];
  /** Names of what is required and missing. */
  missing: string[];
  /** Commands that install what is missing; absent when nothing is. */
  install: { required?: string; optional?: string };
}

export interface DiagnoseOptions {
  /** Where the filesystem to look at starts; the tests have their own. */
  root?: string;
  running?: RunningKernel;
}

/** Looks at this machine; changes nothing and asks no network. */
export async function diagnose(options: DiagnoseOptions = {}): Promise<Diagnosis> {
  const root = options.root ?? '/';
  const distro = distroOf(readOsRelease(root)) ?? null;
  const { facts, fetches } = await kernelFacts(root, options.running);
  const checks = PROVISIONS.map((one) => check(one, root, one.need === 'build' || (one.need === 'kernel' && fetches)));
  const missing = [...checks.filter(lacks), ...facts.filter(lacks)].map(({ name }) => name);
  return { ok: missing.length === 0, distro, checks, kernel: facts, missing, install: commands(checks, distro) };
}

const lacks = ({ required, found }: { required: boolean; found: unknown }) => required && !found;

function check(provision: Provision, root: string, required: boolean): Check {
  const { name, purpose, need, packages } = provision;
  return { name, purpose, need, required, found: locate(provision, root) ?? null, packages };
}

/** sbin directories are not in everyone's PATH. */
const PROGRAM_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

function locate({ name, programs = [], files = [] }: Provision, root: string): string | undefined {
  if (name === BUSYBOX) return findStaticBusybox(root);
  const own = root === '/' ? (process.env.PATH ?? '').split(':').filter(Boolean) : [];
  const paths = programs.flatMap((program) => [...own, ...PROGRAM_PATH].map((directory) => join(directory, program)));
  return [...files, ...paths].find((path) => isFile(join(root, path)));
}

/** Path of this machine's statically linked busybox, for the medium; undefined when it has none. */
export function findStaticBusybox(root = '/'): string | undefined {
  const files = PROVISIONS.find(({ name }) => name === BUSYBOX)?.files ?? [];
  return files.find((path) => isFile(join(root, path)) && isStaticProgram(join(root, path)));
}

const isFile = (path: string) => fs.statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

/** The kernel `kernel: auto` would take, and whether it has to be fetched first. */
async function kernelFacts(root: string, running?: RunningKernel): Promise<{ facts: KernelFact[]; fetches: boolean }> {
  const search = findKernel({ root, running });
  const { release } = search.running;
  const modules = modulesDirectory(release, root);
  const facts = [
    fact('image of the running kernel', search.found !== undefined, search.found?.path ?? `none of Linux ${release}`),
    fact('its modules', modules !== undefined, modules ?? `no /lib/modules/${release}`),
  ];
  if (search.found && modules)
    return { facts: [...facts, ...optionFacts(await configOf(search.found.path, modules))], fetches: false };
  const failsafe = await cachedKernel(FAILSAFE.package);
  const detail = failsafe ? `${failsafe.origin}, fetched` : `${FAILSAFE.package}, fetched by apt when it is needed`;
  facts.push(fact('failsafe kernel', failsafe !== undefined, detail));
  if (failsafe) facts.push(...optionFacts(await configOf(failsafe.image, failsafe.modulesDir)));
  return { facts, fetches: failsafe === undefined };
}

const fact = (name: string, found: boolean, detail: string): KernelFact => ({ name, required: false, found, detail });

function optionFacts(config: string | undefined): KernelFact[] {
  return config === undefined ? [] : kernelOptions(fs.readFileSync(config, 'utf8'));
}

function commands(checks: readonly Check[], distro: Distro | null): Diagnosis['install'] {
  if (!distro) return {};
  const command = (wanted: readonly Check[]) => {
    const names = [...new Set(wanted.map((one) => one.packages[distro]).filter((name) => name !== undefined))];
    return names.length > 0 ? `${INSTALL[distro]} ${names.join(' ')}` : undefined;
  };
  const missing = checks.filter((one) => !one.found);
  const required = command(missing.filter((one) => one.required));
  const optional = command(missing.filter((one) => !one.required));
  return { ...(required ? { required } : {}), ...(optional ? { optional } : {}) };
}
