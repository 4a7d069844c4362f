import type { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { MindiError, type MindiErrorOptions, messageOf } from '../contract/error.ts';
import type { FinishedArchive } from './archive-file.ts';
import { openCatalog, record } from './catalog.ts';
import { flagsOf } from './flags.ts';
import { type Failure, readMembers } from './members.ts';
import { Packer, type PackerOptions } from './packer.ts';
import type { Unit } from './units.ts';

/** What a thread is told when it starts. */
export interface WorkerSettings extends Omit<PackerOptions, 'nextNumber'> {
  catalog: string;
  /** One number, shared: that of the last archive. */
  numbers: SharedArrayBuffer;
}

/** What a thread answers to a unit. */
export type WorkerAnswer =
  | { kind: 'progress'; files: number; bytes: number }
  | { kind: 'done'; archives: Pick<FinishedArchive, 'number' | 'size'>[] }
  | { kind: 'failed'; message: string; mindi?: MindiErrorOptions; code?: string; errcode?: number };

/** Bytes between two tellings. */
const TELL_EVERY = 16 << 20;

async function packUnit(unit: Unit, settings: WorkerSettings, catalog: DatabaseSync): Promise<WorkerAnswer> {
  const numbers = new Int32Array(settings.numbers);
  const packer = new Packer({ ...settings, nextNumber: () => Atomics.add(numbers, 0, 1) + 1 });
  try {
    const seen = counter();
    const failures = await readMembers(Buffer.from(unit.list), {
      member: async (header, index, window) => {
        await packer.member(header, window, unit.again[index] === 1, unit.inodes[index] ?? 0);
        seen.add(header.data);
      },
    });
    packer.finish();
    await note(packer, failures, unit);
    record(catalog, packer.finished, packer.packed, failures);
    seen.tell();
  } catch (error) {
    packer.abandon();
    throw error;
  }
  return { kind: 'done', archives: packer.finished.map(({ number, size }) => ({ number, size })) };
}

function counter() {
  let files = 0;
  let bytes = 0;
  const tell = () => {
    parentPort?.postMessage({ kind: 'progress', files, bytes } satisfies WorkerAnswer);
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

/** Writes into the members' rows what tar said of them, and their flags. */
async function note(packer: Packer, failures: readonly Failure[], { immutable }: Unit): Promise<void> {
  if (failures.length === 0 && immutable.length === 0) return;
  const byPath = new Map(packer.packed.map((packed) => [packed.header.path.toString('latin1'), packed]));
  for (const { path, trouble } of failures) {
    const packed = byPath.get(path);
    if (packed) packed.trouble = trouble;
  }
  for await (const [path, flags] of flagsOf(immutable)) {
    const packed = byPath.get(path);
    if (packed) packed.flags = flags;
  }
}

/** Between threads an error loses its class and what it carries. */
function failed(error: unknown): WorkerAnswer {
  const { code, errcode, hint, where, exitCode } = error as MindiError & { errcode?: number };
  if (error instanceof MindiError)
    return { kind: 'failed', message: error.message, mindi: { code, hint, where, exitCode } };
  return { kind: 'failed', message: messageOf(error), code, ...(errcode === undefined ? {} : { errcode }) };
}

const settings = workerData as WorkerSettings;
const catalog = openCatalog(settings.catalog);
parentPort?.on('message', async (unit: Unit) => {
  const answer = await packUnit(unit, settings, catalog).catch(failed);
  parentPort?.postMessage(answer);
});
