import { on } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { MindiError, type MindiErrorOptions } from '../contract/error.ts';
import type { WorkerAnswer, WorkerSettings } from './pack-worker.ts';
import type { Unit } from './units.ts';

const MOST_WORKERS = 4;
/** MiB of a thread's heap: with more to spend V8 collects garbage late. */
const MEMORY = { maxYoungGenerationSizeMb: 3, maxOldGenerationSizeMb: 48 };

interface Hears {
  progress: (files: number, bytes: number) => void;
  archive: (number: number, size: number) => void;
}

/** Packs units in worker threads, as many at once as there are processors. */
export async function pack(
  units: AsyncGenerator<Unit>,
  settings: Omit<WorkerSettings, 'numbers'>,
  hears: Hears,
): Promise<void> {
  const numbers = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const workers: Worker[] = [];
  const begin = () => {
    const worker = new Worker(new URL('./pack-worker.ts', import.meta.url), {
      workerData: { ...settings, numbers },
      resourceLimits: MEMORY,
    });
    workers.push(worker);
    return worker;
  };
  const count = Math.min(availableParallelism(), MOST_WORKERS);
  try {
    // The generator gives one unit at a time to whichever thread asks first.
    await Promise.all(Array.from({ length: count }, () => work(begin, units, hears)));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
    // After a failure find may still be at work.
    await units.return(undefined);
  }
}

/** A thread is there when there is work for it. */
async function work(begin: () => Worker, units: AsyncGenerator<Unit>, hears: Hears): Promise<void> {
  let worker: Worker | undefined;
  for (;;) {
    const { value: unit, done } = await units.next();
    if (done) return;
    worker ??= begin();
    await packed(worker, unit, hears);
  }
}

async function packed(worker: Worker, unit: Unit, hears: Hears): Promise<void> {
  worker.postMessage(unit);
  for await (const [answer] of on(worker, 'message') as AsyncIterable<[WorkerAnswer]>) {
    if (answer.kind === 'failed') throw revived(answer);
    if (answer.kind === 'progress') hears.progress(answer.files, answer.bytes);
    else {
      for (const { number, size } of answer.archives) hears.archive(number, size);
      return;
    }
  }
}

/** Errors lose their class and what they carry on the way between threads. */
function revived({ message, mindi, ...more }: Extract<WorkerAnswer, { kind: 'failed' }>): Error {
  return mindi ? new MindiError(message, mindi as MindiErrorOptions) : Object.assign(new Error(message), more);
}
