import { on } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { MindiError, type MindiErrorOptions } from '../contract/error.ts';
import type { WorkerAnswer, WorkerSettings } from './pack-worker.ts';
import type { Unit } from './units.ts';
import type { NewArchive } from './volumes.ts';

const MOST_WORKERS = 4;
/** MiB of a thread's heap: with more to spend V8 collects garbage late. */
const MEMORY = { maxYoungGenerationSizeMb: 3, maxOldGenerationSizeMb: 48 };

interface Hears {
  progress: (files: number, bytes: number) => void;
  /** Returns the highest number an archive may have that is begun from now on. */
  archive: (archive: NewArchive) => Promise<number>;
}

/** Numbers of archives: of the last one that is there, and the highest one that may be begun as long as none is told. */
interface Numbers {
  last: number;
  mayBegin: number;
}

/** Packs units in worker threads, as many at once as there are processors. */
export async function pack(
  units: AsyncGenerator<Unit>,
  settings: Omit<WorkerSettings, 'numbers'>,
  { last, mayBegin }: Numbers,
  hears: Hears,
): Promise<void> {
  const numbers = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
  new Int32Array(numbers)[0] = last;
  allow(numbers, mayBegin);
  const broken = Promise.withResolvers<never>();
  const heard = {
    ...hears,
    archive: (archive: NewArchive) => {
      hears.archive(archive).then((most) => allow(numbers, most), broken.reject);
    },
  };
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
  const next = ahead(units);
  try {
    // One unit at a time to whichever thread asks first.
    const all = Promise.all(Array.from({ length: count }, () => work(begin, next, heard)));
    await Promise.race([all, broken.promise]);
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
    // After a failure find may still be at work.
    await units.return(undefined);
  }
}

function allow(numbers: SharedArrayBuffer, most: number): void {
  const shared = new Int32Array(numbers);
  Atomics.store(shared, 1, most);
  Atomics.notify(shared, 1);
}

/** The next unit is made while those before it are packed. */
function ahead(units: AsyncGenerator<Unit>): () => Promise<IteratorResult<Unit>> {
  let coming = units.next();
  return () => {
    const now = coming;
    coming = now.then((unit) => (unit.done ? unit : units.next()));
    // Told by whoever asks for it.
    coming.catch(() => {});
    return now;
  };
}

type Heard = Pick<Hears, 'progress'> & { archive: (archive: NewArchive) => void };

/** A thread is there when there is work for it. */
async function work(begin: () => Worker, next: () => Promise<IteratorResult<Unit>>, hears: Heard): Promise<void> {
  let worker: Worker | undefined;
  for (;;) {
    const { value: unit, done } = await next();
    if (done) return;
    worker ??= begin();
    await packed(worker, unit, hears);
  }
}

async function packed(worker: Worker, unit: Unit, hears: Heard): Promise<void> {
  worker.postMessage(unit);
  for await (const [answer] of on(worker, 'message') as AsyncIterable<[WorkerAnswer]>) {
    if (answer.kind === 'failed') throw revived(answer);
    if (answer.kind === 'progress') hears.progress(answer.files, answer.bytes);
    else if (answer.kind === 'archive') hears.archive(answer.archive);
    else return;
  }
}

/** Errors lose their class and what they carry on the way between threads. */
function revived({ message, mindi, ...more }: Extract<WorkerAnswer, { kind: 'failed' }>): Error {
  return mindi ? new MindiError(message, mindi as MindiErrorOptions) : Object.assign(new Error(message), more);
}
