import { Command } from 'commander';
import type { HostFacts } from '../builder/mountlist/facts.ts';
import { MindiError } from '../contract/error.ts';
import type { Mountlist, MountlistProblem } from '../contract/mountlist.ts';
import { answer, answerJson, talk } from './output.ts';

interface Options {
  check?: boolean;
  read?: boolean;
  force?: boolean;
  json?: boolean;
}

/** `mindi makemountlist FILE`, and the classic `mindi --makemountlist FILE`. */
export function makemountlistCommand(): Command {
  return new Command('makemountlist')
    .description('write down which devices this machine mounts where, as a restore needs it')
    .argument('[file]', 'where to write the mountlist; with --check or --json it may be left out')
    .option('--check', 'say what in the mountlist could not be restored')
    .option('--read', 'read FILE, perhaps edited, instead of asking the machine; nothing is written')
    .option('--force', 'overwrite FILE though it is no mountlist')
    .option('--json', 'print the mountlist, warnings and (with --check) problems as JSON')
    .addHelpText(
      'after',
      `
The file has one line a device: device, mountpoint, format, size in KiB (lvm for a logical volume), label, UUID.
A blank in a name is written \\040. \`#\` starts a comment.

Exit status: 0 fine, 1 --check found something, 2 FILE is wrong.

Examples:
  mindi makemountlist /tmp/mountlist.txt          write it, and show it as a table
  mindi --makemountlist /tmp/mountlist.txt        the same, as mindi always understood it
  mindi makemountlist --check                     is there anything a restore could not bring back?
  mindi makemountlist --read --check mine.txt     the same for a mountlist edited by hand`,
    )
    .action(async (file: string | undefined, options: Options) => {
      process.exitCode = await makeMountlist(file, options);
    });
}

async function makeMountlist(file: string | undefined, options: Options): Promise<number> {
  requireFile(file, options);
  const { mountlist, warnings, problems } = options.read && file ? await judge(file, options) : await capture(options);
  if (file && !options.read) {
    const { writeMountlist } = await import('../builder/mountlist/file.ts');
    await writeMountlist(file, mountlist, options.force);
  }
  if (options.json) answerJson({ ...(file ? { file } : {}), mountlist, warnings, ...(problems ? { problems } : {}) });
  else await show(mountlist, problems);
  for (const warning of warnings) talk(`mindi: warning: ${warning}`);
  return problems?.length ? 1 : 0;
}

function requireFile(file: string | undefined, options: Options): void {
  if (file || (!options.read && (options.check || options.json))) return;
  throw new MindiError('Please specify the output file', {
    code: 'mountlist.no-file',
    hint: 'For example: mindi makemountlist /tmp/mountlist.txt',
  });
}

interface Answer {
  mountlist: Mountlist;
  warnings: string[];
  problems: MountlistProblem[] | undefined;
}

async function capture(options: Options): Promise<Answer> {
  const { readHostFacts } = await import('../builder/mountlist/facts.ts');
  const { mountlistOf } = await import('../builder/mountlist/capture.ts');
  const facts = await readHostFacts();
  const { mountlist, warnings } = mountlistOf(facts);
  return { mountlist, warnings, problems: options.check ? await check(mountlist, facts) : undefined };
}

/** A mountlist from a file: the machine is asked only when it is to be checked. */
async function judge(file: string, options: Options): Promise<Answer> {
  const { readMountlist } = await import('../builder/mountlist/file.ts');
  const { readHostFacts } = await import('../builder/mountlist/facts.ts');
  const mountlist = await readMountlist(file);
  return {
    mountlist,
    warnings: [],
    problems: options.check ? await check(mountlist, await readHostFacts()) : undefined,
  };
}

async function check(mountlist: Mountlist, facts: HostFacts): Promise<MountlistProblem[]> {
  return (await import('../builder/mountlist/check.ts')).checkMountlist(mountlist, facts);
}

async function show(mountlist: Mountlist, problems: MountlistProblem[] | undefined): Promise<void> {
  const { mountlistTable } = await import('../contract/mountlist-table.ts');
  answer(`Your mountlist will look like this:\nAnalyzing LVM...\n${mountlistTable(mountlist)}`);
  if (!problems) return;
  if (problems.length === 0) answer('\nEverything in it can be restored.');
  else answer(`\nThis could not be restored:\n${problems.map(describe).join('\n')}`);
}

const describe = ({ code, message, hint }: MountlistProblem) => `- ${message} [${code}]\n  hint: ${hint}`;
