import { existsSync, readFileSync } from 'node:fs';
import { chosenSource } from '../../contract/boot-request.ts';
import { MindiError } from '../../contract/error.ts';
import { PATHS } from '../../contract/rescue-config.ts';
import { type Context, tell } from '../boot.ts';
import { runHooks } from '../hooks.ts';
import { uptime } from '../log.ts';
import { mountedAt } from '../mount.ts';
import { busybox } from '../process.ts';
import { duration } from '../progress.ts';
import { type Facts, restoreEnvironment } from '../restore-environment.ts';
import { openOrAsk } from '../sources/ask.ts';
import { SOURCE } from '../sources/places.ts';
import { SourceError } from '../sources/source.ts';
import type { StorageContext } from '../storage/context.ts';
import { described } from './match.ts';
import { type Audience, runProgram } from './program.ts';
import { findTarget, prepareTarget } from './target.ts';

/** What a restore by another tool works with. */
export interface Work extends Omit<Context, 'config'>, Facts {
  /** Program and arguments. */
  words: readonly string[];
  /** Whether somebody said that what is on the disks may be overwritten. */
  confirmed: boolean;
  /** null: the program has the terminal. */
  audience: Audience | null;
  /** Remembers what went wrong, one sentence. */
  problem(sentence: string): void;
}

/**
 * Restores by another tool's command: source, scripts before, target, the command, scripts after.
 * @returns null when it is done, else why not: sentences
 * @throws Unanswered where nobody is there to be asked, or nobody wanted it
 */
export async function restoreByOtherTool(work: Work): Promise<string | null> {
  if (existsSync(PATHS.untrusted))
    return `Nothing is restored: this medium is not what was built. ${readFileSync(PATHS.untrusted, 'utf8').trim()}`;
  try {
    return await restore(work);
  } catch (error) {
    if (error instanceof SourceError) return `${error.message} ${error.hint}`;
    if (error instanceof MindiError) return `The mountlist of the medium cannot be used: ${error.message}.`;
    throw error;
  }
}

async function restore(work: Work): Promise<string | null> {
  await openOwnSource(work);
  const storage: StorageContext = {
    modules: work.modules,
    excluded: work.parameters.excludeDevs,
    noLvm: work.parameters.noLvm,
    problem: work.problem,
  };
  if (!work.confirmed && !(await isWanted(work, storage))) return 'Nothing is restored: that was not wanted.';
  const refusal = await runHooks(work, 'pre');
  if (refusal) return refusal;
  const gaps = await prepareTarget(storage);
  if (gaps.length > 0) return `Nothing is restored. ${gaps.join(' ')} ${ADVICE}`;
  return (await runCommand(work)) ?? (await runHooks(work, 'post'));
}

const ADVICE = `Make what is missing, or mount it by hand below ${PATHS.target}; what is mounted there is used as it is.`;

/** The source of the boot parameters or the profile; one that is open stays. */
async function openOwnSource(work: Work): Promise<void> {
  const address = chosenSource(work.parameters, work.config.restore.source);
  if (address && !mountedAt(SOURCE)) await openOrAsk(address, work);
}

async function isWanted({ words, person }: Work, storage: StorageContext): Promise<boolean> {
  const { found, missing } = await findTarget(storage);
  const targets = [
    ...found.map(({ entry, device }) => `${described(entry)} on ${device.device}`),
    ...(mountedAt(PATHS.target) ? [`what is mounted under ${PATHS.target}`] : []),
  ];
  const question = [
    `${words[0]} will write to this machine's disks${targets.length > 0 ? `: ${targets.join(', ')}` : ''}.`,
    ...missing.map(({ why }) => why),
    'Shall it start?',
  ].join(' ');
  const choices = [
    { value: 'no', text: 'No, nothing is written' },
    { value: 'yes', text: 'Yes, restore' },
  ];
  return (await person.choose(question, choices, 'no')) === 'yes';
}

async function runCommand(work: Work): Promise<string | null> {
  const { words, audience, config } = work;
  const began = uptime();
  // Not the other words: there may be a password among them.
  tell(work, `restoring by ${words[0]}`);
  const { code, how } = await runProgram(words, PATHS.target, restoreEnvironment(work), audience);
  await busybox(['sync'], { limit: 3600 });
  const warned = config.ownRestore?.warningCodes.includes(code);
  if (code !== 0 && !warned) return `The restore by ${words[0]} failed: ${how}.`;
  if (warned) work.problem(`The restore by ${words[0]} is done, with warnings: ${how}.`);
  tell(work, `${words[0]} has restored in ${duration(uptime() - began)}; it stays mounted under ${PATHS.target}`);
  return null;
}
