/**
 * The init: a child of process 1 that brings the rescue system up. The supervisor runs it and tells when it dies. With
 * the word `command` it is the command mindi of the rescue system's shells.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { parseBootParameters } from '../contract/command-line.ts';
import { PATHS } from '../contract/rescue-config.ts';
import { type Boot, problem, tell } from './boot.ts';
import { Consoles } from './consoles.ts';
import { fail } from './fail.ts';
import { watchDevices } from './hotplug.ts';
import { KernelModules } from './kernel-modules.ts';
import { log, uptime } from './log.ts';
import { nobody, Unanswered } from './person.ts';
import { readRescueConfig } from './rescue-config.ts';
import { STEPS } from './steps/index.ts';

/** Tells the supervisor that it was us who failed. */
const CRASHED = 70;
/** Tells the command mindi-init that this runs. */
const PID_FILE = '/run/mindi/init.pid';

async function main(): Promise<void> {
  const boot = await start();
  tell(boot, `mindi rescue system "${boot.config.name}", ${boot.mode} mode`);
  for (const step of STEPS) {
    const began = uptime();
    if (step.says) tell(boot, step.says);
    try {
      await step.run(boot);
    } catch (error) {
      log(String((error as Error).stack));
      if (error instanceof Unanswered) await fail(boot, error.message);
      else problem(boot, `The step "${step.name}" failed: ${(error as Error).message}`);
    }
    log(`step ${step.name}: ${(uptime() - began).toFixed(2)} s`);
  }
  await watchDevices(boot);
}

async function start(): Promise<Boot> {
  process.title = 'mindi-init';
  writeFileSync(PID_FILE, `${process.pid}\n`);
  log(`init started, runtime ${process.version}`);
  const problems: string[] = [];
  rmSync(PATHS.effectiveConfig, { force: true });
  const config = readRescueConfig(problems);
  const parameters = parseBootParameters(readFileSync('/proc/cmdline', 'utf8'));
  problems.push(...parameters.problems);
  const consoles = new Consoles();
  await consoles.open();
  const modules = new KernelModules(release(), parameters);
  const mode = parameters.mode ?? config.restore.mode;
  return {
    config,
    parameters,
    mode,
    consoles,
    modules,
    devices: [],
    medium: null,
    network: null,
    keymap: null,
    refresh: () => {},
    statusPage: false,
    person: nobody,
    trusted: null,
    check: null,
    source: null,
    sticks: [],
    storage: { arrays: [], volumes: [], encrypted: [], silent: [] },
    problems,
  };
}

async function command(words: string[]): Promise<void> {
  const { runCommand } = await import('./commands/index.ts');
  process.exitCode = await runCommand(words);
}

function crash(error: unknown): never {
  const text = error instanceof Error ? String(error.stack) : String(error);
  log(`CRASH: ${text}`);
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(CRASHED);
}

process.on('uncaughtException', crash);
process.on('unhandledRejection', crash);
void (process.argv[2] === 'command' ? command(process.argv.slice(3)) : main());
