import { posix } from 'node:path';
import { MindiError } from '../../contract/error.ts';
import type { Entry } from '../../contract/manifest.ts';
import { PATHS } from '../../contract/rescue-config.ts';
import { baseEntries } from '../base-segment.ts';
import { packageFor } from '../doctor/packages.ts';
import type { Profile } from '../profile/load.ts';
import { run } from '../run.ts';
import { findBusybox } from '../tools/busybox.ts';
import { Collector } from '../tools/collector.ts';
import { merged } from '../tools/follow.ts';
import { FileHashes } from '../tools/hashes.ts';
import { resolveTools } from '../tools/resolve.ts';
import { runtimeEntries } from '../tools/runtime.ts';
import { loadToolSet, type ToolSet, toolSetNames } from '../tools/sets.ts';
import { absent, type Finding } from './finding.ts';

/** Some of the media's files, and where they are. */
export interface Files {
  place: string;
  entries: readonly Entry[];
}

const PROGRAM = /^\/usr\/(?:local\/)?s?bin\//;

/** What the plan and the packing add themselves. */
const MADE: readonly [path: string, rule: string][] = [
  [PATHS.config, 'init'],
  [PATHS.mountlist, 'mountlist'],
  [PATHS.runtimeImage, 'runtime'],
];

/** All files of a profile's media but modules and firmware. What cannot be looked at, a tool is missing, say, is told. */
export async function mediaFiles(
  { tools, runtime, initrd, mountlist, where }: Profile,
  { say }: { say?: (text: string) => void },
): Promise<Files[]> {
  const hashes = new FileHashes();
  const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof MindiError)) throw error;
      say?.(`${what} cannot be looked at: ${error.format()}`);
      return undefined;
    }
  };
  const [own, engine, chosen] = await Promise.all([
    attempt('the base of the media', () => baseEntries({ busybox: findBusybox() })),
    attempt('the runtime', () => runtimeEntries(runtime, hashes)),
    attempt('the tools', () => resolveTools({ ...tools, where, hashes })),
  ]);
  await hashes.save();
  const made = MADE.filter(([path]) => path !== PATHS.mountlist || mountlist !== 'none').map(
    ([path, rule]): Entry => ({ type: 'config', path, mode: 0o644, uid: 0, gid: 0, why: [{ rule }] }),
  );
  return [
    { place: 'initrd', entries: [...(own?.entries ?? []), ...(engine?.links ?? []), ...made] },
    { place: 'runtime', entries: engine?.entries ?? [] },
    { place: initrd.fold ? 'initrd' : 'second stage', entries: chosen?.entries ?? [] },
  ];
}

/** A path on the rescue system, or a program by its name. */
export function explainFile(name: string, files: readonly Files[]): Finding[] {
  const path = name.includes('/') ? merged(posix.resolve('/', name)) : undefined;
  const isMeant = (entry: Entry) =>
    path === undefined ? PROGRAM.test(entry.path) && posix.basename(entry.path) === name : entry.path === path;
  return files.flatMap(({ place, entries }) => entries.filter(isMeant).map((entry) => finding(entry, place)));
}

function finding(entry: Entry, place: string): Finding {
  const notes =
    entry.type === 'file' ? [`from ${entry.origin}`] : entry.type === 'symlink' ? [`a link to ${entry.target}`] : [];
  return { what: 'file', name: entry.path, present: true, place, path: entry.path, why: entry.why, notes, bring: [] };
}

/** What else a program or a file may be: an applet of busybox, missing here, or never asked for. */
export async function explainMissingFile(name: string, { tools }: Pick<Profile, 'tools'>): Promise<Finding[]> {
  if (await isApplet(name)) return [applet(name)];
  const here = new Collector('/', new FileHashes()).find(name);
  const all = [...new Set([...toolSetNames(), ...tools.sets])];
  const sets = await Promise.all(all.map(async (set) => ({ set, tool: toolOf(await loadToolSet(set), name) })));
  const having = sets.filter(({ tool }) => tool !== undefined);
  const asked = having.find(({ set }) => tools.sets.includes(set));
  const brings = having.find(({ tool }) => tool)?.tool?.package ?? packageFor(name);
  const install = brings ? [`install the package ${brings}`] : [];
  if (asked) return [absent('file', name, [`tools.sets: ${asked.set} has it, but this machine does not`], install)];
  if (having.length === 0 && here === undefined && brings === undefined) return [];
  const bySet = having.map(({ set }) => `tools: { sets: [..., ${set}] }`);
  const lacking = here === undefined ? install.map((text) => `${text}, and then`) : [];
  const lines = bySet.length > 0 ? bySet : [`tools: { include: [..., ${name}] }`];
  const notes = ['no chosen tool set has it', ...(here === undefined ? ['this machine does not have it'] : [])];
  return [absent('file', name, notes, [...lacking, ...lines])];
}

function toolOf({ tools }: ToolSet, name: string): ToolSet['tools'][number] | undefined {
  const asked = posix.basename(name);
  return tools.find(
    ({ required = [], optional = [], files = [] }) =>
      [...required, ...optional].some((tool) => tool === name || posix.basename(tool) === asked) ||
      files.includes(name),
  );
}

async function isApplet(name: string): Promise<boolean> {
  if (name.includes('/') && !PROGRAM.test(merged(name))) return false;
  try {
    return (await run(findBusybox(), ['--list'])).stdout.split('\n').includes(posix.basename(name));
  } catch (error) {
    if (error instanceof MindiError) return false;
    throw error;
  }
}

function applet(name: string): Finding {
  const notes = ['busybox does it'];
  return {
    what: 'file',
    name,
    present: true,
    place: 'initrd',
    path: '/usr/bin/busybox',
    why: [{ rule: 'busybox' }],
    notes,
    bring: [],
  };
}
