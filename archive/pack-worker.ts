import type { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { MindiError, type MindiErrorOptions, messageOf } from '../contract/error.ts';
import { openCatalog, record } from './catalog.ts';
import { flagsOf } from './flags.ts';
import { type Failure, readMembers, type Visitor } from './members.ts';
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

async function packUnit(unit: Unit, settings: WorkerSettings, catalog: DatabaseSync): Promise<WorkerAnswer> {
  const packer = new Packer({
    ...settings,
    nextNumber: () => nextNumber(new Int32Array(settings.numbers)),
    closed: ({ number, size, sha256 }) => tellMain({ kind: 'archive', archive: { number, size, sha256 } }),
  });
  try {
    const seen = counter();
    const visitor: Visitor = {
      member: async (header, index, window) => {
        await packer.member(header, window, unit.again[index] === 1, unit.inodes[index] ?? 0);
        seen.add(header.data);
      },
    };
    const failures = await readMembers(Buffer.from(unit.list), visitor, settings.root);
    packer.finish();
    await note(packer, failures, unit, settings.root);
    record(catalog, packer.finished, packer.packed, failures);
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

/** Writes into the members' rows what tar said of them, and their flags. */
async function note(packer: Packer, failures: readonly Failure[], { immutable }: Unit, root: string): Promise<void> {
  if (failures.length === 0 && immutable.length === 0) return;
  const byPath = new Map(packer.packed.map((packed) => [packed.header.path.toString('latin1'), packed]));
  for (const { path, trouble } of failures) {
    const packed = byPath.get(path);
    if (packed) packed.trouble = trouble;
  }
  for await (const [path, flags] of flagsOf(immutable, root)) {
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
  tellMain(answer);
});
