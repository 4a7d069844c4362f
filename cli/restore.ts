import { Command } from 'commander';
import { MindiError } from '../contract/error.ts';
import type { Layout } from '../contract/layout/schema.ts';
import type { Plan, Situation } from '../restore/plan/plan.ts';
import type { Step } from '../restore/plan/step.ts';
import { answer, answerJson, table, talk } from './output.ts';

interface Options {
  on?: string;
  disk: string[];
  keep: string[];
  json?: boolean;
}

/** `mindi restore plan`: what a restore would do to the disks. */
export function restoreCommand(): Command {
  const gather = (value: string, before: string[]) => [...before, value];
  const plan = new Command('plan')
    .description('print every command that would make a layout on the disks of this machine, and what would be lost')
    .argument('<layout>', 'file that `mindi layout` wrote')
    .option('--on <layout>', 'plan for the machine whose layout is in this file, not for this one')
    .option('--disk <id=disk>', 'make this disk of the layout on that disk of the machine; may be repeated', gather, [])
    .option('--keep <disk>', 'never write to this disk of the machine; may be repeated', gather, [])
    .option('--json', 'print the plan as JSON')
    .addHelpText(
      'after',
      `
Nothing is written. This version has no command that carries a plan out: it can be read, checked and kept.

Exit status: 0 it could be done, 1 something stands against it, 2 a file is wrong.

Examples:
  mindi restore plan layout.yaml                          onto this machine
  mindi restore plan layout.yaml --disk sda=nvme0n1       which of two equal disks
  mindi restore plan old.yaml --on new.yaml --json        onto another machine`,
    )
    .exitOverride()
    .action(printPlan);
  return new Command('restore').description('plan how disks are made again').addCommand(plan);
}

async function printPlan(file: string, options: Options): Promise<void> {
  const { readLayout } = await import('../contract/layout/file.ts');
  const { plan } = await import('../restore/plan/plan.ts');
  const layout = await readLayout(file);
  const made = plan(layout, { ...(await situation(options)), chosen: pairs(options.disk) });
  if (options.json) answerJson(made);
  else answer(textOf(made));
  talk('mindi: nothing was written; this version cannot carry a plan out.');
}

function pairs(all: readonly string[]): Record<string, string> {
  const entries = all.map((text): [string, string] => {
    const at = text.indexOf('=');
    if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1).replace(/^\/dev\//, '')];
    throw new MindiError(`--disk ${text} names no two disks`, {
      code: 'restore.disk',
      hint: 'Write --disk ID=DISK: the id in the layout, and the disk of this machine.',
    });
  });
  return Object.fromEntries(entries);
}

async function situation({ on, keep }: Options): Promise<Situation> {
  const { readLayout } = await import('../contract/layout/file.ts');
  const asked = Object.fromEntries(keep.map((disk) => [disk.replace(/^\/dev\//, ''), 'to be kept']));
  if (on) return { there: await readLayout(on), refused: asked };
  const { captureMachine } = await import('../capture/capture.ts');
  const { hasProgram, thisMachine } = await import('../builder/this-machine.ts');
  const now = await captureMachine(thisMachine);
  return { ...now, refused: { ...(await ownDisks(now.there)), ...asked }, hasProgram };
}

/** What this system runs from is not what it can be restored onto. */
async function ownDisks(there: Layout): Promise<Record<string, string>> {
  const { rootFinder } = await import('../contract/layout/graph.ts');
  const roots = rootFinder(there);
  const own = Object.entries(there.filesystems).filter(([, { mounts = [] }]) => mounts.some(({ at }) => at === '/'));
  const disks = own.flatMap(([id, { devices = [] }]) => [id, ...devices].flatMap(roots));
  return Object.fromEntries(disks.map((disk) => [disk, 'the disk this system runs from']));
}

function textOf({ targets, lost, steps, after, hash }: Plan): string {
  const disks = targets.map(({ wanted, node, evidence }) => [
    `  ${wanted}`,
    `on ${node}`,
    `by ${evidence.join(', ') || 'what is left'}`,
  ]);
  const losses = lost.flatMap(({ disk, what }) =>
    what.length > 0 ? what.map((line) => `  ${disk}: ${line}`) : [`  ${disk}: nothing`],
  );
  const parts = [
    'Disks of the layout:',
    table(disks),
    '',
    'What is on them now and would be lost:',
    ...losses,
    '',
    'What would be done:',
    ...steps.flatMap(lines),
    ...(after.length > 0 ? ['', 'When the data are back:', ...after.flatMap(lines)] : []),
    '',
    `Plan ${hash}`,
  ];
  return parts.join('\n');
}

/** As it could be typed; what is read from standard input stands below. */
function lines({ argv, input, secret }: Step): string[] {
  const words = argv.map((word) => (/^[\w@%+=:,./^-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  const below = (input ?? '')
    .split('\n')
    .filter(Boolean)
    .map((line) => `      | ${line}`);
  return [`  ${words.join(' ')}`, ...below, ...(secret ? [`      | the passphrase for ${secret}, asked for`] : [])];
}
