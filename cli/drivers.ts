import { Command } from 'commander';
import type { NameAnswer } from '../builder/drivers/names.ts';
import type { SetSummary } from '../builder/drivers/summary.ts';
import { answer, answerJson, paint, size, table, talk } from './output.ts';

const say = (text: string) => talk(`mindi: ${text}`);

/** `mindi drivers list` and `mindi drivers resolve`. */
export function driversCommand(): Command {
  return new Command('drivers')
    .description('tell what the driver sets are on a kernel, and what became of a driver')
    .addCommand(listCommand().exitOverride())
    .addCommand(resolveCommand().exitOverride());
}

function listCommand(): Command {
  return new Command('list')
    .description('list the driver sets, and what each resolves to on a kernel')
    .argument('[sets...]', 'sets by name, or files of your own; all when none is given')
    .option('--kernel <kernel>', 'auto, running, failsafe, a modules directory, a kernel image or package', 'auto')
    .option('--json', 'print every set with its modules, firmware and built-in drivers as JSON')
    .addHelpText(
      'after',
      `
Examples:
  mindi drivers list
  mindi drivers list --kernel failsafe
  mindi drivers list scsi --kernel /usr/lib/modules/6.1.0-50-amd64 --json`,
    )
    .action(list);
}

async function list(names: string[], options: { kernel: string; json?: boolean }): Promise<void> {
  const [{ kernelModules }, { openKernelTree }, { driverSetNames }, { summarizeSets }] = await Promise.all([
    import('../builder/kernel/argument.ts'),
    import('../builder/drivers/tree.ts'),
    import('../builder/drivers/sets.ts'),
    import('../builder/drivers/summary.ts'),
  ]);
  const { release, modulesDir } = await kernelModules(options.kernel, say);
  const tree = await openKernelTree(modulesDir);
  const summaries = await summarizeSets(tree, names.length > 0 ? names : driverSetNames());
  if (options.json) return answerJson(summaries);
  answer(`kernel ${release}\n\n${setsTable(summaries)}`);
}

function setsTable(summaries: readonly SetSummary[]): string {
  const head = ['set', 'modules', 'in initrd', 'size', 'firmware', 'built in', ''];
  const rows = summaries.map(({ name, modules, essential, size: bytes, firmware, builtin, description }) => [
    paint('bold', name),
    ...[modules, essential].map(({ length }) => String(length)),
    bytes === null ? '?' : size(bytes),
    ...[firmware, builtin].map(({ length }) => String(length)),
    description,
  ]);
  return table([head, ...rows], [1, 2, 3, 4, 5]);
}

function resolveCommand(): Command {
  return new Command('resolve')
    .description('tell what each name is on a kernel: a module, built in, renamed, gone, absent or unknown')
    .argument('<names...>', 'modules, aliases or paths, of today or of any kernel before')
    .option('--modules <directory>', 'the kernel’s modules directory; its modules.* files are enough')
    .option('--kernel <kernel>', 'auto, running, failsafe, a modules directory, a kernel image or package', 'auto')
    .option('--json', 'print an array with one entry for each name as JSON')
    .addHelpText(
      'after',
      `
Exit status: 0 when every name can be had, 1 when one is gone from Linux, absent from this kernel or unknown.

Examples:
  mindi drivers resolve megaraid_sas ext4
  mindi drivers resolve usb-uhci cciss --modules /usr/lib/modules/6.1.0-50-amd64
  mindi drivers resolve pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01 --json`,
    )
    .action(resolve);
}

async function resolve(names: string[], options: { modules?: string; kernel: string; json?: boolean }): Promise<void> {
  const [{ kernelModules, ofDirectory }, { openKernelTree }, { isThere, resolveNames }] = await Promise.all([
    import('../builder/kernel/argument.ts'),
    import('../builder/drivers/tree.ts'),
    import('../builder/drivers/names.ts'),
  ]);
  const { release, modulesDir } =
    options.modules === undefined ? await kernelModules(options.kernel, say) : ofDirectory(options.modules);
  const answers = await resolveNames(await openKernelTree(modulesDir), names);
  if (options.json) answerJson(answers);
  else answer(`kernel ${release}\n\n${answersTable(answers)}`);
  process.exitCode = answers.every(isThere) ? 0 : 1;
}

const COLOURS = {
  module: 'green',
  builtin: 'green',
  renamed: 'yellow',
  gone: 'red',
  absent: 'red',
  unknown: 'red',
} as const;

function answersTable(answers: readonly NameAnswer[]): string {
  const rows = answers.map(({ name, status, load, soft, firmware, note }) => [
    name,
    paint(COLOURS[status], status),
    load.join(' ') || '-',
    soft.join(' ') || '-',
    firmware.length > 0 ? String(firmware.length) : '-',
    note ?? '',
  ]);
  return table([['name', 'status', 'load', 'soft', 'firmware', ''], ...rows]);
}
