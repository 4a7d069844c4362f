import { MindiError } from '../contract/error.ts';
import type { Layout } from '../contract/layout/schema.ts';
import { likeness } from './identity.ts';
import { disksInUse } from './in-use.ts';
import { type JournalLine, type StepState, statesOf } from './journal.ts';
import { lostOn } from './plan/clear.ts';
import { hashOf, type Plan } from './plan/plan.ts';
import type { Step } from './plan/step.ts';

/** How a plan reaches the machine. */
export interface Hands {
  /** Runs a program to its end; `stdin` is all of its standard input. */
  run(argv: readonly string[], stdin: string): Promise<{ code: number; stderr: string }>;
  /** Whether a device node is there; may wait a while for it. */
  appears(node: string): Promise<boolean>;
  /** Whether something is mounted at a path. */
  isMounted(path: string): Promise<boolean>;
  /** The passphrase for a device. */
  secret(device: string): Promise<string>;
  /** Keeps a line where it outlives a power cut, before it returns. */
  journal(line: JournalLine): Promise<void>;
  /** Is told of each step before it is done. */
  tell(step: Step, number: number): void;
}

export type Outcome = { done: true } | { done: false; step: number; said: string };

export interface ApplyOptions {
  /** What an earlier try of the same plan has left in its journal. */
  before?: readonly JournalLine[];
  /** Numbers of steps that a person wants left out. */
  skip?: readonly number[];
}

/**
 * Carries out the steps of a plan in their order, each noted in the journal before and after. Stops at the first that
 * fails. With the journal of an earlier try it goes on where that ended: what was done stays, what was cut off is taken back
 * and done again, what a restart took away (open devices, mounts) is brought back.
 */
export async function apply(plan: Plan, hands: Hands, options: ApplyOptions = {}): Promise<Outcome> {
  const { before = [], skip = [] } = options;
  const states = statesOf(before);
  if (before.length === 0) await hands.journal({ plan: plan.hash });
  for (const [number, step] of plan.steps.entries()) {
    const state = states.get(number);
    if (skip.includes(number)) {
      if (state !== 'done') await hands.journal({ step: number, state: 'skipped' });
      continue;
    }
    if (state === 'skipped' || (state === 'done' && !(await isLost(plan, number, states, hands)))) continue;
    hands.tell(step, number);
    const said = await carryOut(step, number, state !== undefined, hands);
    if (said !== null) return { done: false, step: number, said };
  }
  return { done: true };
}

/** Whether what a step that was done held is gone, and nothing later has let it go on purpose. */
async function isLost(plan: Plan, number: number, states: Map<number, StepState>, hands: Hands): Promise<boolean> {
  const { holds } = plan.steps[number] as Step;
  if (!holds) return false;
  if ('node' in holds) return !(await hands.appears(holds.node));
  const released = plan.steps.findIndex(
    ({ argv }, n) => n > number && argv[0] === 'umount' && argv.at(-1) === holds.mount,
  );
  if (released >= 0 && states.get(released) === 'done') return false;
  return !(await hands.isMounted(holds.mount));
}

/** @returns null, or what went wrong */
async function carryOut(step: Step, number: number, again: boolean, hands: Hands): Promise<string | null> {
  if (again && step.undo) await hands.run(step.undo, '');
  await hands.journal({ step: number, state: 'begun' });
  const stdin = step.secret === undefined ? (step.input ?? '') : await hands.secret(step.secret);
  const { code, stderr } = await hands.run(step.argv, stdin);
  if (code !== 0) return stderr.trim() || `exit ${code}`;
  for (const node of step.makes ?? []) if (!(await hands.appears(node))) return `${node} did not appear`;
  await hands.journal({ step: number, state: 'done' });
  return null;
}

/**
 * What stands against carrying out a plan now: it was changed, or the disks are not those it was made for. Of a plan that was
 * begun only the disks themselves are compared.
 * @param there what is on this machine now
 */
export function objections(plan: Plan, there: Layout, hash: string, begun: boolean): MindiError[] {
  const problem = (code: string, message: string) =>
    new MindiError(message, { code: `restore.${code}`, hint: 'Make a new plan: mindi restore plan.', exitCode: 1 });
  if (hashOf(plan) !== plan.hash || plan.hash !== hash)
    return [problem('other-plan', 'this is not the plan with that hash: it was changed, or is another one')];
  const strangers = plan.targets.flatMap(({ disk, facts }) => {
    const now = there.disks[disk];
    const wanted = likeness(facts, facts).score;
    if (now && likeness(facts, now).score === wanted) return [];
    return problem('other-disk', `${disk} is not the disk this plan was made for`);
  });
  const inUse = disksInUse(there);
  const used = plan.targets.flatMap(({ disk }) => (inUse[disk] ? problem('in-use', `${disk} is ${inUse[disk]}`) : []));
  if (strangers.length + used.length > 0 || begun) return [...strangers, ...used];
  const now = lostOn(
    there,
    plan.targets.map(({ disk }) => disk),
  );
  return JSON.stringify(now) === JSON.stringify(plan.lost)
    ? []
    : [problem('changed', 'what is on the disks has changed since the plan was made')];
}
