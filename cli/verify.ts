import { Command } from 'commander';
import type { VolumeParity } from '../archive/parity/state.ts';
import { type KeyOptions, keysOf, placeOptions, withKeys } from './keys.ts';
import { answer, answerJson, SET_ARGUMENT, size, talk } from './output.ts';
import { showing } from './progress.ts';

interface Options extends KeyOptions {
  live?: boolean;
  medium?: string;
  json?: boolean;
}

/** `mindi verify SET`. */
export function verifyCommand(): Command {
  const command = new Command('verify')
    .description('compare a set of `mindi archive` with its hashes, and with the machine if asked')
    .argument('<set>', SET_ARGUMENT)
    .option('--live', 'compare the files of this machine with the set, too')
    .option('--medium <image>', 'of another engine the snapshot that this medium restores, instead of the newest')
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      `
Names each file that cannot be restored as it was; all others can. Of an encrypted set without its key, the files on the
volumes are compared with their sums.

Exit status: 0; 1 when something is damaged or missing, or with --live differs.

Examples:
  mindi verify /bkp
  mindi verify /bkp/srv-000003 --live
  mindi verify /bkp --identity key.txt`,
    );
  return withKeys(command).action(async (path: string, options: Options) => {
    await runVerify(path, options);
  });
}

/** Verifies and tells. mondoarchive calls it too. */
export async function runVerify(path: string, options: Options): Promise<void> {
  const { openSnapshot } = await import('../archive/engines/open.ts');
  const snapshot = await openSnapshot(path, options.medium);
  if (snapshot) return (await import('./engine.ts')).verifySnapshot(snapshot, options.json === true);
  const [{ openSet }, { verifySet }] = await Promise.all([import('../archive/set.ts'), import('../archive/verify.ts')]);
  const { isSealed } = await import('../archive/sums.ts');
  const keyless = options.identity === undefined && options.passphraseFile === undefined;
  if (keyless && isSealed(path)) return runSums(path, options);
  await using set = await openSet(path, keysOf(options), placeOptions(options));
  const titles = { sums: `comparing ${set.folder} with its sums`, live: 'comparing it with this machine' };
  const { result, differences } = await showing(titles, async ({ step, progress }) => {
    step('sums');
    const result = await verifySet(set, (done, total) => progress('read', done, total));
    if (!options.live) return { result, differences: undefined };
    step('live');
    const { compareLive } = await import('../archive/live.ts');
    return { result, differences: await compareLive(set) };
  });
  const good = result.problems.length === 0 && result.damaged.length === 0 && !differences?.length;
  if (options.json) answerJson({ set: set.folder, id: set.id, ...result, ...(differences ? { differences } : {}) });
  else {
    const lines = [
      ...result.problems,
      ...parityLines(result.parity, set.folder),
      ...result.damaged.map(({ path, archive }) => `damaged: ${path} (archive ${archive})`),
      ...(differences ?? []).map(({ path, what }) => `${what}: ${path}`),
    ];
    const fine = `${set.folder}: ${result.archives} archives, ${size(result.bytes)}: all as they were written`;
    answer(good ? fine : lines.join('\n'));
  }
  if (!good) process.exitCode = 1;
}

const PARITY_WORDS: Record<VolumeParity['state'], (set: string) => string> = {
  whole: () => 'its archives are whole, only its parity is damaged',
  repairable: (set) => `its parity repairs it: mindi repair ${set}; mindi extract does so by itself, elsewhere`,
  lost: () => 'more of it is damaged than its parity repairs',
};
const parityLines = (states: readonly VolumeParity[], set: string) =>
  states.map(({ volume, state }) => `${volume}: ${PARITY_WORDS[state](set)}`);

/** An encrypted set without its key. */
async function runSums(path: string, { json, live }: Options): Promise<void> {
  if (live) talk('mindi: note: without its key the set is not compared with this machine');
  const { verifySums } = await import('../archive/sums.ts');
  const { folder, ...result } = await showing({ sums: `comparing ${path} with its sums` }, ({ step, progress }) => {
    step('sums');
    return verifySums(path, (done) => progress(size(done), 0, 0));
  });
  const good = result.problems.length === 0;
  if (json) answerJson({ set: folder, ...result });
  else if (!good) answer([...result.problems, ...parityLines(result.parity, folder)].join('\n'));
  else
    answer(`${folder}: ${result.files} files, ${size(result.bytes)}: all as they were written; encrypted, not opened`);
  if (!good) process.exitCode = 1;
}
