import { appendFileSync, closeSync, existsSync, fsyncSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { captureMachine } from '../../capture/capture.ts';
import { MindiError } from '../../contract/error.ts';
import { apply, type Hands, objections } from '../../restore/apply.ts';
import { type JournalLine, parseJournal } from '../../restore/journal.ts';
import type { Plan } from '../../restore/plan/plan.ts';
import { commandContext } from '../commands/context.ts';
import { mountedAt } from '../mount.ts';
import { Unanswered } from '../person.ts';
import { BUSYBOX, findProgram, run } from '../process.ts';
import { GuardError, liftGuard } from '../storage/guard.ts';
import { THIS_MACHINE } from './this-machine.ts';

const HELP = `mindi restore apply PLAN --hash HASH   makes the disks as a plan says: what is on them is lost
  --journal FILE                       notes each step there, to go on after a power cut; best on a stick
  --key-file FILE                      the passphrase for what is encrypted; without it you are asked
  --skip NUMBER                        leave a step out; what lies on it is left out as well

PLAN is what \`mindi restore plan --json\` printed, HASH the one it shows. Where a step fails, the same command goes on there.
`;

const OPTIONS = {
  hash: { type: 'string' },
  journal: { type: 'string', default: '/run/mindi/restore.journal' },
  'key-file': { type: 'string' },
  skip: { type: 'string', multiple: true },
  help: { type: 'boolean' },
} as const;

/** Seconds one program may take without an end: a RAID or a large disk takes long, a disk that hangs for ever. */
const LONGEST = 6 * 3600;
/** Milliseconds in which the kernel shows a new device, and how often it is looked for. */
const APPEARS = 10_000;
const LOOK_AGAIN = 50;

/** `mindi restore apply`: carries out a plan. Returns the exit code. */
export async function runApply(words: readonly string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({ args: [...words], options: OPTIONS, allowPositionals: true });
    const [file, ...more] = positionals;
    if (values.help) process.stdout.write(HELP);
    if (values.help) return 0;
    if (file && values.hash && more.length === 0)
      return await carryOut(
        file,
        values.hash,
        values.journal,
        (values.skip ?? []).map(Number),
        values['key-file'] ?? null,
      );
    process.stderr.write(HELP);
  } catch (error) {
    if (error instanceof MindiError) process.stderr.write(`${error.format()}\n`);
    else if (error instanceof GuardError || error instanceof Unanswered) process.stderr.write(`${error.message}\n`);
    else if (!(error instanceof TypeError)) throw error;
    else process.stderr.write(`mindi restore apply: ${error.message}\n`);
    return error instanceof MindiError ? error.exitCode : error instanceof TypeError ? 2 : 1;
  }
  return 2;
}

async function carryOut(
  file: string,
  hash: string,
  journal: string,
  skip: number[],
  keyFile: string | null,
): Promise<number> {
  const plan = readPlan(file);
  const before = existsSync(journal) ? parseJournal(readFileSync(journal, 'utf8'), hash, journal) : [];
  const { there } = await captureMachine(THIS_MACHINE);
  const against = objections(plan, there, hash, before.length > 0);
  if (against.length > 0) throw MindiError.all(against, 'Nothing is written:', 'restore.refused');
  await liftGuard(
    plan.targets.map(({ node }) => node),
    `plan ${hash}`,
  );
  const outcome = await apply(plan, handsHere(plan.steps.length, journal, keyFile), { before, skip });
  if (outcome.done) {
    process.stdout.write('The disks are as the plan says.\n');
    return 0;
  }
  process.stderr.write(
    `Step ${outcome.step} failed: ${outcome.said}\nCorrect that and give the same command to go on there, or leave the step out with --skip ${outcome.step}.\n`,
  );
  return 1;
}

function readPlan(file: string): Plan {
  try {
    const plan = JSON.parse(readFileSync(file, 'utf8')) as Plan;
    if (plan.version === 1 && Array.isArray(plan.steps) && Array.isArray(plan.targets)) return plan;
    throw new Error('it is no plan');
  } catch (error) {
    const hint = '`mindi restore plan --json` prints one.';
    throw new MindiError(`the plan cannot be read: ${(error as Error).message}`, {
      code: 'restore.plan',
      where: file,
      hint,
    });
  }
}

function handsHere(count: number, journal: string, keyFile: string | null): Hands {
  const { person } = commandContext();
  const known = new Map<string, string>();
  return {
    run: async ([name = '', ...args], stdin) => {
      const program = findProgram(name);
      // Of what is only busybox's, its own.
      const words = program ? [program, ...args] : [BUSYBOX, name, ...args];
      return run(words[0] as string, words.slice(1), { input: stdin, limit: LONGEST });
    },
    appears: async (node) => {
      for (let waited = 0; waited < APPEARS && !existsSync(node); waited += LOOK_AGAIN) await sleep(LOOK_AGAIN);
      return existsSync(node);
    },
    isMounted: async (path) => mountedAt(path) !== undefined,
    secret: async (device) => {
      const secret =
        known.get(device) ??
        (keyFile
          ? readFileSync(keyFile, 'utf8').replace(/\n$/, '')
          : await person.enter(`New passphrase for ${device}`, { secret: true }));
      known.set(device, secret);
      return secret;
    },
    journal: async (line) => keep(journal, line),
    tell: ({ argv }, number) => void process.stderr.write(`${number + 1}/${count} ${argv.join(' ')}\n`),
  };
}

/** On the disk before anything else happens. */
function keep(file: string, line: JournalLine): void {
  const handle = openSync(file, 'a', 0o600);
  try {
    appendFileSync(handle, `${JSON.stringify(line)}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
