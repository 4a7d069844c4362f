import { Command } from 'commander';
import type { Finding } from '../builder/explain/finding.ts';
import type { Reason } from '../contract/manifest.ts';
import { answer, answerJson, paint, talk } from './output.ts';

const say = (text: string) => talk(`mindi: ${text}`);

/** `mindi explain NAME [PROFILE]`. */
export function explainCommand(): Command {
  return new Command('explain')
    .description('tell why a module, firmware, program or file is on the media, or what would bring it')
    .argument('<name>', 'a module, a device’s modalias, a firmware file, a program, or a path on the media')
    .argument('[profile]', 'a built-in profile (standalone, usb, minimal) or a YAML file', 'standalone')
    .option(
      '--kernel <kernel>',
      'auto, running, failsafe, a modules directory, a kernel image or package; the profile’s',
    )
    .option('--json', 'print everything the name stands for as JSON')
    .addHelpText(
      'after',
      `
Exit status: 0 when it is on the media (a driver built into the kernel is), 1 when it is not.

Examples:
  mindi explain megaraid_sas
  mindi explain pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01 web1.yaml
  mindi explain ql2400_fw.bin
  mindi explain /usr/sbin/lvm web1.yaml`,
    )
    .action(explain);
}

async function explain(name: string, profileName: string, options: { kernel?: string; json?: boolean }): Promise<void> {
  const [{ loadProfile }, { kernelModules }, { resolveKernel }, explaining] = await Promise.all([
    import('../builder/profile/load.ts'),
    import('../builder/kernel/argument.ts'),
    import('../builder/kernel/source.ts'),
    import('../builder/explain/explain.ts'),
  ]);
  const profile = await loadProfile(profileName);
  const kernel =
    options.kernel === undefined
      ? await resolveKernel(profile.kernel, { where: profile.where(['kernel']), say })
      : await kernelModules(options.kernel, say);
  const findings = await explaining.explain(name, profile, kernel, { say });
  if (options.json) answerJson(findings);
  else answer(findings.map(shown).join('\n\n'));
  process.exitCode = findings.some(({ present }) => present) ? 0 : 1;
}

const WHAT: Record<Finding['what'], string> = {
  module: 'kernel module',
  firmware: 'firmware',
  file: 'file',
  nothing: 'unknown',
};

function shown({ what, name, present, place, path, why, notes, bring }: Finding): string {
  const state = present ? paint('green', `on the media: ${place}`) : paint('red', 'not on the media');
  const lines = [
    ...(path !== null && path !== name ? [path] : []),
    ...why.map((reason) => `because of ${because(reason)}`),
    ...notes,
    ...bring.map((text) => (text.startsWith('Did you mean') ? text : `to have it: ${text}`)),
  ];
  return [`${paint('bold', name)} (${WHAT[what]}), ${state}`, ...lines.map((line) => `  ${line}`)].join('\n');
}

const KINDS: Partial<Record<NonNullable<Reason['kind']>, string>> = {
  hard: 'hard dependency',
  soft: 'soft dependency',
  weak: 'weak dependency',
  family: 'asked for at run time',
};

/** `drivers.sets: usb (drivers/usb/storage/) > usb_storage > scsi_mod (hard dependency)`. */
function because({ rule, via = [], kind }: Reason): string {
  const chain = [rule, ...via].join(' > ');
  return kind && kind !== 'named' ? `${chain} (${KINDS[kind] ?? kind})` : chain;
}
