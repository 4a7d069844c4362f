import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { Command, CommanderError } from 'commander';
import { log } from '../builder/log.ts';
import { report, talk } from './output.ts';

export const version: string = createRequire(import.meta.url)('../package.json').version;

/** The commands, in the order help shows them. One file each; each loads what it needs only when it runs. */
const COMMANDS: (() => Promise<Command>)[] = [
  async () => (await import('./build.ts')).buildCommand(),
  async () => (await import('./plan.ts')).planCommand(),
  async () => (await import('./boot.ts')).bootCommand(),
  async () => (await import('./write.ts')).writeCommand(),
  async () => (await import('./archive.ts')).archiveCommand(),
  async () => (await import('./verify.ts')).verifyCommand(),
  async () => (await import('./list.ts')).listCommand(),
  async () => (await import('./extract.ts')).extractCommand(),
  async () => (await import('./repair.ts')).repairCommand(),
  async () => (await import('./prune.ts')).pruneCommand(),
  async () => (await import('./check.ts')).checkCommand(),
  async () => (await import('./units.ts')).unitsCommand(),
  async () => (await import('./classic/command.ts')).mondoarchiveCommand(),
  async () => (await import('./serve.ts')).serveCommand(),
  async () => (await import('./inspect.ts')).inspectCommand(),
  async () => (await import('./drivers.ts')).driversCommand(),
  async () => (await import('./explain.ts')).explainCommand(),
  async () => (await import('./probe.ts')).probeCommand(),
  async () => (await import('./coverage.ts')).coverageCommand(),
  async () => (await import('./findkernel.ts')).findkernelCommand(),
  async () => (await import('./makemountlist.ts')).makemountlistCommand(),
  async () => (await import('./layout.ts')).layoutCommand(),
  async () => (await import('./restore.ts')).restoreCommand(),
  async () => (await import('./doctor.ts')).doctorCommand(),
  async () => (await import('./new.ts')).newCommand(),
  async () => (await import('./schema.ts')).schemaCommand(),
  async () => (await import('./manpage.ts')).manpageCommand(),
];

/** Classic options that backup programs call as `mindi --findkernel`: each is a command now. */
const CLASSIC = ['--findkernel', '--makemountlist'];
const modern = ([first = '', ...rest]: string[]) => [CLASSIC.includes(first) ? first.slice(2) : first, ...rest];

/** The whole command line as one Commander tree: help, the man page and the parser all come from it. */
export async function program(): Promise<Command> {
  const mindi = new Command('mindi')
    .description('Builds rescue media from one YAML profile.')
    .version(`mindi ${version}`, '-V, --version')
    .showHelpAfterError('(run `mindi --help` for the commands)')
    .configureHelp({ showGlobalOptions: false });
  for (const load of COMMANDS) mindi.addCommand(await load());
  return mindi;
}

/** `mindi` alone asks its questions on a terminal; elsewhere it shows the commands. */
async function bare(): Promise<number> {
  if (process.stdin.isTTY && process.stdout.isTTY) return (await import('./wizard.ts')).wizard();
  talk((await program()).helpInformation());
  return 2;
}

async function main(argv: string[]): Promise<number> {
  log(`mindi ${version} ${JSON.stringify(argv)} node ${process.version} in ${process.cwd()}`);
  try {
    if (argv.length === 0) return await bare();
    // Its options are getopt's, with rules of their own.
    if (argv[0] === 'mondoarchive') return await (await import('./classic/command.ts')).mondoarchive(argv.slice(1));
    const mindi = await program();
    for (const command of [mindi, ...mindi.commands]) command.exitOverride();
    await mindi.parseAsync(modern(argv), { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { cacheProblem } = await import('../builder/cache.ts');
    return report(cacheProblem(error) ?? error, argv.includes('--json'));
  }
}

/** Interrupted, mindi ends as a program that exits, so that what it started and half wrote is cleared away. */
const INTERRUPTS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

if (import.meta.main) {
  // Else V8 collects garbage after every 64 MB read into buffers: a quarter of a build's time.
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  for (const [signal, code] of Object.entries(INTERRUPTS)) process.on(signal, () => process.exit(code));
  // `mindi inspect IMAGE ls | head`: the reader has what it wanted.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(141);
  });
  process.exitCode = await main(process.argv.slice(2));
}
