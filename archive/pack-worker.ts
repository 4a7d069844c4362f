import { parentPort, workerData } from 'node:worker_threads';
import { MindiError, type MindiErrorOptions, messageOf } from '../contract/error.ts';
import type { FinishedArchive } from './archive-file.ts';
import { openCatalog, Rows } from './catalog.ts';
import { DirectReader } from './direct.ts';
import type { Failure } from './members.ts';
import { packUnit } from './pack-unit.ts';
import { Packer, type PackerOptions } from './packer.ts';
import type { Unit } from './units.ts';
import type { NewArchive } from './volumes.ts';

/** What a thread is told when it starts. */
export interface WorkerSettings extends Omit<PackerOptions, 'nextNumber' | 'closed'> {
  catalog: string;
  /** The directory that files are read from; empty: /. */
  root: string;
  /** Two numbers, shared: that of the last archive, and the highest one that may be begun. */
  numbers: SharedArrayBuffer;
}

/** What a thread answers to a unit. */
export type WorkerAnswer =
  | { kind: 'progress'; files: number; bytes: number }
  | { kind: 'archive'; archive: NewArchive }
  | { kind: 'done' }
  | { kind: 'failed'; message: string; mindi?: MindiErrorOptions; code?: string; errcode?: number };

/** Bytes between two tellings. */
const TELL_EVERY = 16 << 20;

async function work(unit: Unit, settings: WorkerSettings): Promise<WorkerAnswer> {
  const complete: FinishedArchive[] = [];
  const failures: Failure[] = [];
  let byTar = false;
  const write = () => rows.write(complete.splice(0), failures.splice(0));
  const packer = new Packer({
    ...settings,
    nextNumber: () => nextNumber(new Int32Array(settings.numbers)),
    closed: (archive) => {
      complete.push(archive);
      // What tar says of a member it says at its end.
      if (!byTar) write();
      const { number, size, sha256 } = archive;
      tellMain({ kind: 'archive', archive: { number, size, sha256 } });
    },
  });
  const seen = counter();
  const failed = (failure: Failure) => failures.push(failure);
  try {
    const tools = { packer, reader, rows, root: settings.root, seen: seen.add, failed };
    failures.push(...(await packUnit(unit, tools, () => (byTar = true))));
    packer.finish();
    write();
    seen.tell();
  } catch (error) {
    packer.abandon();
    throw error;
  }
  return { kind: 'done' };
}

const tellMain = (answer: WorkerAnswer) => parentPort?.postMessage(answer);

/** Waits while there is no room for more archives. */
function nextNumber(numbers: Int32Array): number {
  const number = Atomics.add(numbers, 0, 1) + 1;
  for (let most = Atomics.load(numbers, 1); number > most; most = Atomics.load(numbers, 1))
    Atomics.wait(numbers, 1, most);
  return number;
}

function counter() {
  let files = 0;
  let bytes = 0;
  const tell = () => {
    tellMain({ kind: 'progress', files, bytes });
    files = 0;
    bytes = 0;
  };
  const add = (more: number) => {
    files += 1;
    bytes += more;
    if (bytes >= TELL_EVERY) tell();
  };
  return { add, tell };
}

/** Between threads an error loses its class and what it carries. */
function failed(error: unknown): WorkerAnswer {
  const { code, errcode, hint, where, exitCode } = error as MindiError & { errcode?: number };
  if (error instanceof MindiError)
    return { kind: 'failed', message: error.message, mindi: { code, hint, where, exitCode } };
  return { kind: 'failed', message: messageOf(error), code, ...(errcode === undefined ? {} : { errcode }) };
}

const settings = workerData as WorkerSettings;
const rows = new Rows(openCatalog(settings.catalog));
const reader = new DirectReader(settings.root);
parentPort?.on('message', async (unit: Unit) => {
  const answer = await work(unit, settings).catch(failed);
  tellMain(answer);
});
