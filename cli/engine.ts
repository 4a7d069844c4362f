import { hostname } from 'node:os';
import type { OpenSnapshot } from '../archive/engines/open.ts';
import type { EngineResult } from '../archive/engines/run.ts';
import type { Profile } from '../builder/profile/load.ts';
import type { Output } from '../builder/trust/documents.ts';
import { answer, answerJson, duration, size, table, talk } from './output.ts';
import { showing } from './progress.ts';

/** `mindi archive`, `verify`, `list` and `extract` where another program than mindi archives. */

interface ArchiveOptions {
  /** Seconds. */
  wait: number;
  init: boolean;
  /** Where media go. */
  out: string;
  json: boolean;
}

/** What media of a profile are built from. */
interface MediumParts {
  profile: Profile;
  files: Record<string, Uint8Array>;
}

/**
 * Media find the profile's sets; where another engine archives, they restore its snapshot.
 * @param id null: the newest there is then
 */
export async function mediumParts(
  profile: Profile,
  note: (text: string) => void,
  id: string | null = null,
): Promise<MediumParts> {
  if (profile.archive.engine === 'mindi') {
    const { withSets } = await import('../archive/targets/on-medium.ts');
    return { profile: withSets(profile), files: {} };
  }
  const [{ snapshotFiles, withEngine }, { storeOf }] = await Promise.all([
    import('../archive/engines/medium.ts'),
    import('../archive/engines/settings.ts'),
  ]);
  const store = storeOf(profile, hostname());
  return { profile: withEngine(profile, store, id, note), files: snapshotFiles(store, id) };
}

const TITLES = { read: 'reading', finish: 'checking the snapshot', medium: 'building media that restore it' };

/** Archives by the profile's engine and tells what came of it. */
export async function archiveByEngine(profile: Profile, options: ArchiveOptions): Promise<void> {
  const [{ engineSettings }, { engineRun }, { runSettings }, { parseMountinfo }, { readFile }, { namesMedia }] =
    await Promise.all([
      import('../archive/engines/settings.ts'),
      import('../archive/engines/run.ts'),
      import('../archive/run/settings.ts'),
      import('../contract/mounts.ts'),
      import('node:fs/promises'),
      import('../archive/targets/boot-medium.ts'),
    ]);
  const mounts = parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8'));
  const settings = engineSettings(profile, mounts, hostname());
  const { result, media, seconds } = await showing(TITLES, async (teller) => {
    const started = performance.now();
    const result = await engineRun(settings, runSettings(profile), options, teller);
    const seconds = (performance.now() - started) / 1000;
    const wanted = namesMedia(profile);
    if (wanted) teller.step('medium');
    const media = wanted ? await mediaFor(profile, result.snapshot, options.out, teller.note) : [];
    return { result, media, seconds };
  });
  if (options.json) answerJson({ ...result, media, seconds });
  else answer(summary(result, media, seconds));
  if (!result.good) process.exitCode = 1;
}

async function mediaFor(profile: Profile, id: string, out: string, note: (text: string) => void): Promise<Output[]> {
  const { build } = await import('../builder/build.ts');
  const parts = await mediumParts(profile, note, id);
  const { media } = await build(parts.profile, out, { note }, { files: parts.files });
  return media;
}

function summary(result: EngineResult, media: readonly Output[], seconds: number): string {
  const { engine, repository, snapshot, files, bytes, added, removed, problems } = result;
  const rate = bytes > 0 ? `, ${size(Math.round(bytes / seconds))}/s` : '';
  const rows = [
    ['snapshot', `${snapshot} of ${engine}`],
    ['repository', repository],
    ['files', `${files}, ${size(bytes)}`],
    ['took', `${duration(seconds)}${rate}`],
    ...(added === null ? [] : [['new there', size(added)]]),
    ...(removed.length > 0 ? [['removed', removed.join(', ')]] : []),
    ...media.map(({ path, size: bytes }) => ['medium', `${path}, ${size(bytes)}`]),
  ];
  for (const problem of problems) talk(`mindi: ${problem}`);
  return table(rows);
}

/** `mindi verify`: it is there, and as far as the engine can tell without reading all of it, whole. */
export async function verifySnapshot({ engine, store, snapshot }: OpenSnapshot, json: boolean): Promise<void> {
  const problems = await showing({ check: `${store.engine} checks ${store.repository}` }, async ({ step }) => {
    step('check');
    return engine.verify(store, snapshot.id);
  });
  const { engine: name, repository } = store;
  if (json) answerJson({ engine: name, repository, snapshot: snapshot.id, created: snapshot.created, problems });
  else if (problems.length > 0) answer(problems.join('\n'));
  else answer(`snapshot ${snapshot.id} of ${snapshot.created} is in ${repository}, and ${name} finds nothing wrong`);
  if (problems.length > 0) process.exitCode = 1;
}

interface ListOptions {
  find?: string;
  json?: boolean;
}

/** `mindi list`. */
export async function listSnapshot(
  { engine, store, snapshot }: OpenSnapshot,
  { find, json }: ListOptions,
): Promise<void> {
  const { globTest } = await import('../archive/engines/glob.ts');
  const isWanted = find === undefined ? () => true : globTest(find);
  let count = 0;
  for await (const entry of engine.list(store, snapshot.id)) {
    if (!isWanted(entry.path)) continue;
    count += 1;
    const { mode, owner, size: bytes, time, path, target } = entry;
    const arrow = target === undefined ? '' : ` -> ${shown(target)}`;
    const line = `${mode} ${owner.padEnd(11)} ${String(bytes).padStart(12)} ${time} ${shown(path)}${arrow}`;
    if (process.stdout.write(`${json ? JSON.stringify(entry) : line}\n`)) continue;
    await new Promise((resolve) => process.stdout.once('drain', resolve));
  }
  if (count === 0 && find !== undefined) process.exitCode = 1;
}

/** What no terminal should get as backslash codes. */
const shown = (text: string) =>
  text.replaceAll(/\p{Cc}/gu, (letter) => `\\${letter.charCodeAt(0).toString(8).padStart(3, '0')}`);

interface ExtractCall {
  paths: readonly string[];
  to: string;
  overwrite: boolean;
  json: boolean;
}

/** `mindi extract`. */
export async function extractSnapshot({ engine, store, snapshot }: OpenSnapshot, call: ExtractCall): Promise<void> {
  const { emptyDirectory } = await import('../archive/engines/target.ts');
  await emptyDirectory(call.to, call.overwrite);
  const failed = await showing({ read: `restoring to ${call.to}` }, async ({ step }) => {
    step('read');
    return engine.extract(store, snapshot.id, call.paths, call.to);
  });
  if (call.json) answerJson({ engine: store.engine, snapshot: snapshot.id, to: call.to, failed });
  else {
    for (const one of failed) talk(`mindi: ${one}`);
    answer(`snapshot ${snapshot.id}, to ${call.to}`);
  }
  if (failed.length > 0) process.exitCode = 1;
}
