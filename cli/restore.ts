import { Command } from 'commander';
import { MindiError } from '../contract/error.ts';
import type { Plan, Situation } from '../restore/plan/plan.ts';
import type { Step } from '../restore/plan/step.ts';
import { answer, answerJson, table, talk } from './output.ts';

interface Options {
  on?: string;
  facts?: string;
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
    .option('--facts <facts>', 'plan for the machine that said this: `mindi layout --facts` of the rescue system')
    .option('--disk <id=disk>', 'make this disk of the layout on that disk of the machine; may be repeated', gather, [])
    .option('--keep <disk>', 'never write to this disk of the machine; may be repeated', gather, [])
    .option('--json', 'print the plan as JSON')
    .addHelpText(
      'after',
      `
Nothing is written. The rescue system carries the JSON out: \`mindi restore apply\`. docs/layout.md has the way there.

Exit status: 0 it could be done, 1 something stands against it, 2 a file is wrong.

Examples:
  mindi restore plan layout.yaml                          onto this machine
  mindi restore plan layout.yaml --disk sda=nvme0n1       which of two equal disks
  mindi restore plan old.yaml --facts new.facts --json >plan    for the rescue system that told the facts`,
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
  talk('mindi: nothing was written. On the rescue system `mindi restore apply` carries a plan out.');
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

async function situation({ on, facts, keep }: Options): Promise<Situation> {
  const { readLayout } = await import('../contract/layout/file.ts');
  const asked = Object.fromEntries(keep.map((disk) => [disk.replace(/^\/dev\//, ''), 'to be kept']));
  if (on) return { there: await readLayout(on), refused: asked };
  const { captureMachine } = await import('../capture/capture.ts');
  const { disksInUse } = await import('../restore/in-use.ts');
  const { hasProgram, readFacts, thisMachine } = await import('../builder/this-machine.ts');
  const { recorded } = await import('../capture/machine.ts');
  const now = await captureMachine(facts ? recorded(await readFacts(facts)) : thisMachine);
  const refused = { ...disksInUse(now.there), ...asked };
  return facts ? { ...now, refused } : { ...now, refused, hasProgram };
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
