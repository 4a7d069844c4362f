import { existsSync, statSync } from 'node:fs';
import { Command } from 'commander';
import type { Drift } from '../builder/drift/compare.ts';
import { MindiError } from '../contract/error.ts';
import { type MachineRecord, parseMachineRecord } from '../contract/machine-record.ts';
import { PATHS } from '../contract/rescue-config.ts';
import { type KeyOptions, keysOf, withKeys } from './keys.ts';
import { answer, answerJson, table } from './output.ts';

interface Options extends KeyOptions {
  json?: boolean;
}

/** What is looked at: its record, and how it is made again. */
interface Subject {
  name: string;
  record: MachineRecord | null;
  again: string;
}

/** `mindi check WHAT`. */
export function checkCommand(): Command {
  const command = new Command('check')
    .description('tell whether this machine is still what a medium or a set was made for')
    .argument('<what>', 'an image of `mindi build`, a set or a directory of sets, or a profile: its newest set')
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      `
Compared are what fstab names and what that lies on (by UUID and size, not by name or order), the running kernel and its
modules, boot loader files, and fstab, crypttab and mdadm.conf (without comments). Sticks, what is mounted by hand, snaps
and containers do not matter. On the rescue system \`mindi check\` is another command: it reads the medium for damage; here
\`mindi verify\` does that of sets.

Exit status: 0; 1 when the machine has changed since.

Examples:
  mindi check rescue.iso
  mindi check /bkp
  mindi check srv.yaml --json`,
    );
  return withKeys(command).action(check);
}

async function check(what: string, options: Options): Promise<void> {
  const [{ driftOf }, { recordMachine }] = await Promise.all([
    import('../builder/drift/compare.ts'),
    import('../builder/drift/record.ts'),
  ]);
  const { name, record, again } = await subject(what, options);
  if (record === null)
    throw new MindiError('it does not say which machine it was made for', {
      code: 'check.none',
      where: name,
      hint: 'A medium with `mountlist: none`, or made by an older mindi, is for any machine.',
    });
  const drift = driftOf(record, await recordMachine());
  if (options.json) answerJson({ what: name, drift, ...(drift.length > 0 ? { again } : {}) });
  else answer(drift.length > 0 ? told(name, drift, again) : `${name}: this machine is what it was made for`);
  if (drift.length > 0) process.exitCode = 1;
}

function told(name: string, drift: readonly Drift[], again: string): string {
  const rows = drift.map(({ what, name: of, change }) => [what, `${of} ${change}`]);
  return `${name} was made for this machine as it was:\n${table(rows)}\nWhat to do: ${again}`;
}

async function subject(what: string, options: Options): Promise<Subject> {
  const isSet = statSync(what, { throwIfNoEntry: false })?.isDirectory() && !existsSync(`${what}/pxelinux.0`);
  if (isSet) return ofSet(what, 'archive again', options);
  if (/\.ya?ml$/.test(what) || !existsSync(what)) return ofProfile(what, options);
  const [{ openImage, allEntries }, { scratch }] = await Promise.all([
    import('../builder/inspect/image.ts'),
    import('../builder/scratch.ts'),
  ]);
  await using work = await scratch('check');
  const image = await openImage(what, work.path);
  const found = allEntries(image).find(({ path, type }) => type === 'file' && `/${path}`.endsWith(`:${PATHS.machine}`));
  const bytes = found && (await found.layer.read(found.inside));
  const record = bytes ? parseMachineRecord(Buffer.from(bytes).toString()) : null;
  return { name: what, record, again: 'build the medium again, by `mindi build` with its profile' };
}

async function ofSet(path: string, again: string, options: Options): Promise<Subject> {
  const { openSet } = await import('../archive/set.ts');
  await using set = await openSet(path, keysOf(options), { withBases: false });
  return { name: set.folder, record: parseMachineRecord(set.record), again };
}

async function ofProfile(file: string, options: Options): Promise<Subject> {
  const [{ loadProfile }, { archiveSettings }, { newestSet, storedSets }] = await Promise.all([
    import('../builder/profile/load.ts'),
    import('../archive/settings.ts'),
    import('../archive/run/stored-sets.ts'),
  ]);
  const { to, name } = archiveSettings(await loadProfile(file));
  if (!('directory' in to))
    throw new MindiError('its sets are not in a directory', {
      code: 'check.target',
      where: file,
      hint: 'Name the image, or the set where it is.',
    });
  const newest = newestSet(storedSets(to.directory), name);
  if (newest) return ofSet(newest.folder, `mindi archive ${file}`, options);
  throw new MindiError('the profile has no complete set', {
    code: 'check.none',
    where: to.directory,
    hint: `mindi archive ${file}`,
    exitCode: 1,
  });
}
