import {
  type DefaultRenderer,
  Listr,
  ListrLogger,
  type ListrTaskWrapper,
  PRESET_TIMER,
  ProcessOutput,
  type SimpleRenderer,
} from 'listr2';
import { size, talk } from './output.ts';

type Task = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;

/** What a piece of long work tells while it runs. */
export interface Teller<Step extends string> {
  step: (name: Step) => void;
  /** Bytes. */
  progress: (what: string, done: number, total: number) => void;
  note: (text: string) => void;
}

/**
 * Runs long work and shows it on stderr: on a terminal its steps with a spinner and what is being done now, elsewhere
 * (a serial console that does not say how wide it is, too) or when `plain`, one timed line a step and one every ten
 * seconds of a long one, so that logs stay readable. Notes come when the work is over.
 */
export async function showing<Step extends string, Result>(
  titles: Record<Step, string>,
  work: (teller: Teller<Step>) => Promise<Result>,
  { plain = false } = {},
): Promise<Result> {
  const notes: string[] = [];
  const note = (text: string) => void notes.push(text);
  try {
    // listr2 takes no renderer for terminals when stdout is none.
    const terminal = process.stdout.isTTY && process.stderr.columns > 0 && !plain;
    return await (terminal ? onTerminal(titles, work, note) : inLog(titles, work, note));
  } finally {
    for (const text of notes) talk(`mindi: note: ${text}`);
  }
}

/** listr2 wants its tasks beforehand and the work tells its steps as they come: each task waits for its step and the next. */
async function onTerminal<Step extends string, Result>(
  titles: Record<Step, string>,
  work: (teller: Teller<Step>) => Promise<Result>,
  note: Teller<Step>['note'],
): Promise<Result> {
  const steps = Object.keys(titles) as Step[];
  const begun = new Map(steps.map((step) => [step, Promise.withResolvers<void>()]));
  let task: Task | undefined;
  const result = Promise.withResolvers<Result>();
  const teller: Teller<Step> = {
    step: (name) => begun.get(name)?.resolve(),
    progress: (what, done, total) => {
      if (task) task.output = amount(what, done, total);
    },
    note,
  };
  const until = (step: Step | undefined) =>
    Promise.race([step ? begun.get(step)?.promise : result.promise, result.promise]);
  const logger = new ListrLogger({ useIcons: true, processOutput: new ProcessOutput(process.stderr, process.stderr) });
  const list = new Listr(
    steps.map((step, index) => ({
      title: titles[step],
      task: async (_: unknown, wrapper: unknown) => {
        await until(step);
        task = wrapper as Task;
        await until(steps[index + 1]);
      },
    })),
    { rendererOptions: { logger, timer: { ...PRESET_TIMER, field: seconds } }, exitOnError: true },
  );
  const shown = list.run().catch(() => {});
  work(teller).then(result.resolve, result.reject);
  await shown;
  return result.promise;
}

async function inLog<Step extends string, Result>(
  titles: Record<Step, string>,
  work: (teller: Teller<Step>) => Promise<Result>,
  note: Teller<Step>['note'],
): Promise<Result> {
  let current: { title: string; at: number } | undefined;
  let told = performance.now();
  const close = () => {
    if (current) talk(`mindi: ${current.title}: ${seconds(performance.now() - current.at)}`);
    current = undefined;
  };
  const step = (name: Step) => {
    close();
    told = performance.now();
    current = { title: titles[name], at: told };
  };
  const progress = (what: string, done: number, total: number) => {
    if (performance.now() - told < EVERY) return;
    told = performance.now();
    talk(`mindi: ${current?.title}: ${amount(what, done, total)}`);
  };
  const result = await work({ step, progress, note });
  close();
  return result;
}

/** Milliseconds between the lines a log gets of a long step. */
const EVERY = 10_000;

const amount = (what: string, done: number, total: number) =>
  total > 0 ? `${what}: ${size(done)} of ${size(total)}` : what;

const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2)} s`;
