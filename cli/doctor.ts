import { Command, Option } from 'commander';
import type { Check, Diagnosis } from '../builder/doctor/diagnose.ts';
import { DISTRO_NAMES, DISTROS, type Distro } from '../builder/doctor/distro.ts';
import { answer, answerJson, paint, table } from './output.ts';

interface Options {
  json?: boolean;
  packages?: Distro | 'all';
}

/** `mindi doctor`: what this machine has and lacks, and the package that brings each. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('tell which tools and kernel parts this machine has or lacks, and the package that brings each')
    .addOption(
      new Option('--packages <distribution>', 'name the packages of another distribution').choices([...DISTROS, 'all']),
    )
    .option('--json', 'print every check as JSON')
    .addHelpText(
      'after',
      `
Exit status: 0 when \`mindi build\` has all it needs, 1 when something required is missing.

Examples:
  mindi doctor                  this machine
  mindi doctor --packages all   with the package names of all distributions`,
    )
    .action(async (options: Options) => {
      const { diagnose } = await import('../builder/doctor/diagnose.ts');
      const diagnosis = await diagnose();
      if (options.json) answerJson(diagnosis);
      else show(diagnosis, options.packages ?? diagnosis.distro ?? 'all');
      process.exitCode = diagnosis.ok ? 0 : 1;
    });
}

const TITLES: Record<Check['need'], string> = {
  build: 'For every build',
  usb: 'For USB images',
  kernel: 'For kernels from packages',
  boot: 'For mindi boot',
  netboot: 'For the medium netboot and mindi serve',
  archive: 'For mindi archive and extract',
  medium: 'Taken onto the medium when they are here',
};

function show(diagnosis: Diagnosis, packages: Distro | 'all'): void {
  const columns: readonly Distro[] = packages === 'all' ? DISTROS : [packages];
  for (const [need, title] of Object.entries(TITLES)) {
    const checks = diagnosis.checks.filter((check) => check.need === need);
    // Dozens of rescue tools: those that are here need no line each.
    const rows = need === 'medium' && packages !== 'all' ? checks.filter(({ found }) => !found) : checks;
    const here = checks.filter((check) => !rows.includes(check)).map(({ name }) => name);
    group(title, here, [['', '', '', '', ...columns.map(heading)], ...rows.map((check) => row(check, columns))]);
  }
  const options = diagnosis.kernel.filter(({ name, found }) => found && name.startsWith('CONFIG_'));
  const facts = diagnosis.kernel.filter((fact) => !options.includes(fact));
  const names = options.map(({ name }) => name.slice('CONFIG_'.length));
  group(
    'Kernel',
    names,
    facts.map((fact) => [mark(fact), fact.name, fact.detail]),
  );
  for (const line of verdict(diagnosis)) answer(line);
}

const heading = (distro: Distro) => paint('dim', `package (${DISTRO_NAMES[distro]})`);

function group(title: string, here: readonly string[], rows: readonly (readonly string[])[]): void {
  answer(paint('bold', title));
  if (here.length > 0) answer(wrap(`${paint('green', 'ok')}  ${here.join(', ')}`));
  answer(`${table(rows)}\n\n`);
}

/** Breaks at spaces before column 100, later lines indented under the first word. */
const wrap = (text: string) => text.replace(/(.{1,100})(?: |$)/g, (_, line, at) => `${at ? '    ' : ''}${line}\n`);

function row(check: Check, columns: readonly Distro[]): string[] {
  return [
    mark(check),
    check.name,
    check.purpose,
    check.found ?? '',
    ...columns.map((one) => check.packages[one] ?? '-'),
  ];
}

function mark({ found, required }: { found: string | boolean | null; required: boolean }): string {
  if (found) return paint('green', 'ok');
  return required ? paint('red', 'MISSING') : paint('yellow', 'no');
}

function verdict({ ok, missing, install }: Diagnosis): string[] {
  if (ok && !install.optional) return ['Nothing is missing.'];
  const lines = ok ? ['mindi build has all it needs.'] : [`mindi build lacks: ${missing.join(', ')}.`];
  if (install.required) lines.push(`Install what is missing:  ${install.required}`);
  if (install.optional) lines.push(`And what is good to have: ${install.optional}`);
  return lines;
}
