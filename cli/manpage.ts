import { Command } from 'commander';
import { answer } from './output.ts';

/** `mindi manpage`: mindi(8) in man's own language, from the same definitions as `--help`. */
export function manpageCommand(): Command {
  return new Command('manpage')
    .description('print the manual page mindi(8), made from these very definitions')
    .addHelpText(
      'after',
      '\nExamples:\n  $ mindi manpage > /usr/local/share/man/man8/mindi.8\n  $ mindi manpage | man -l -\n',
    )
    .action(async (_options: unknown, command: Command) => {
      answer(manpage(command.parent ?? command));
    });
}

/** The page for a whole command tree. Format: man(7). */
export function manpage(mindi: Command): string {
  const version = mindi.version() ?? '';
  const commands = mindi.commands.filter((command) => command.name() !== 'help');
  return [
    `.TH MINDI 8 "" "${roff(version)}" "Rescue media"`,
    '.SH NAME',
    `mindi \\- ${roff(mindi.description().replace(/\.$/, ''))}`,
    '.SH SYNOPSIS',
    ...commands.flatMap((command) => [`.B mindi ${roff(command.name())}`, roff(command.usage()), '.br']),
    '.SH COMMANDS',
    ...commands.flatMap(section),
    '.SH EXIT STATUS',
    ...definition('0', 'all is well'),
    ...definition('1', 'the answer is "no": it does not boot, the images differ, something could not be restored'),
    ...definition('2', 'the call or the profile is wrong; what to do is said'),
    ...definition('70', 'a fault of mindi itself; the log says more'),
    '.SH FILES',
    ...definition(
      '/var/log/mindi.log',
      'what every run did; $XDG_STATE_HOME/mindi/mindi.log when that cannot be written; $MINDI_LOG overrides both',
    ),
    ...definition(
      '~/.cache/mindi',
      'unpacked kernels and packed parts, by the hash of their inputs; $MINDI_CACHE overrides it',
    ),
    '',
  ].join('\n');
}

function section(command: Command): string[] {
  const help = command.createHelp();
  return [
    `.SS ${roff(`mindi ${command.name()} ${command.usage()}`)}`,
    `${roff(command.description())}.`,
    ...help
      .visibleArguments(command)
      .flatMap((argument) => definition(help.argumentTerm(argument), help.argumentDescription(argument))),
    ...help
      .visibleOptions(command)
      .flatMap((option) => definition(help.optionTerm(option), help.optionDescription(option))),
    ...help
      .visibleCommands(command)
      .flatMap((sub) => definition(help.subcommandTerm(sub), help.subcommandDescription(sub))),
  ];
}

const definition = (term: string, text: string): string[] => ['.TP', `.B ${roff(term)}`, roff(text)];

/** Escapes what roff would read: backslashes, hyphens, and a dot or quote that begins a line. */
function roff(text: string): string {
  return text
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/^([.'])/gm, '\\&$1');
}
