import { readdirSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { hashFile } from '../../builder/cache.ts';
import { run } from '../../builder/run.ts';
import { PARITY, PARITY_SUMS } from '../../contract/archive-set.ts';
import { formatSums } from '../../contract/sums.ts';

/** So many blocks a volume is divided into: with more of them par2 is slower, with fewer a small damage takes more of its parity. */
const BLOCKS = 200;
const LEAST_BLOCK = 4096;
/** MiB of memory. */
const MEMORY = 128;
/** Bytes of what par2 writes around its blocks, several times over. */
const AROUND = 128 << 10;
/** Exit codes of par2. */
const REPAIRABLE = 1;
const LOST = 2;

/** Bytes of a block; par2 wants a multiple of four. */
const blockOf = (bytes: number) => Math.max(LEAST_BLOCK, 4 * Math.ceil(bytes / BLOCKS / 4));
const blocksFor = (bytes: number, percent: number) => Math.ceil((bytes * percent) / 100 / blockOf(bytes));

/** Bytes of parity that so many bytes of files get at most. */
export function parityBytes(bytes: number, percent: number | null): number {
  return percent === null ? 0 : blocksFor(bytes, percent) * blockOf(bytes) + AROUND;
}

/**
 * Adds parity to a directory, of which so much may be damaged then, and a list of its sums.
 * @throws MindiError `tool.missing`, `tool.failed`
 */
export async function addParity(folder: string, percent: number): Promise<void> {
  const names = filesIn(folder);
  const bytes = names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  const how = [`-s${blockOf(bytes)}`, `-c${blocksFor(bytes, percent)}`, '-n1', `-m${MEMORY}`];
  await run('par2', ['create', '-q', '-q', ...how, PARITY, ...names], { cwd: folder });
  const sums = [];
  for (const path of filesIn(folder).filter(isParity))
    sums.push({ path, sha256: (await hashFile(join(folder, path))).sha256 });
  await writeFile(join(folder, PARITY_SUMS), formatSums(sums));
}

export type ParityState = 'whole' | 'repairable' | 'lost';

/** What parity can do for a directory. */
export async function parityState(folder: string): Promise<ParityState> {
  const accept = [REPAIRABLE, LOST, ...UNREADABLE];
  const { exitCode } = await run('par2', ['verify', '-q', '-q', PARITY], { cwd: folder, accept });
  if (exitCode === 0) return 'whole';
  return exitCode === REPAIRABLE ? 'repairable' : 'lost';
}

/** Repairs a directory in place; par2 keeps what was damaged as `NAME.1`. */
export async function repairIn(folder: string): Promise<boolean> {
  const accept = [REPAIRABLE, LOST, ...UNREADABLE];
  const { exitCode } = await run('par2', ['repair', '-q', '-q', `-m${MEMORY}`, PARITY], { cwd: folder, accept });
  return exitCode === 0;
}

/** Its own files are too damaged, it failed, the disk is full. */
const UNREADABLE = [3, 4, 5, 6, 7, 8];

export const isParity = (name: string) => name.endsWith('.par2');

/** Relative paths, in their order. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)))
    .sort();
}
