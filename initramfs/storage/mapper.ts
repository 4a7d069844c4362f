import { attribute } from '../devices.ts';
import { complaint, findProgram, type ProcessResult, run } from '../process.ts';
import { BLOCK } from './block-devices.ts';
import { NO_UDEV } from './context.ts';

/** Runs dmsetup. */
export function dmsetup(words: readonly string[], input?: string): Promise<ProcessResult> {
  return run(findProgram('dmsetup') ?? 'dmsetup', words, { env: NO_UDEV, ...(input === undefined ? {} : { input }) });
}

/** Why dmsetup failed, without the full stop. */
export const saidByMapper = (result: ProcessResult) => complaint(result).trim().replace(/\.$/, '');

/** Those that stay read-only as long as they have the table they were started with: joined disks, their partitions, opened LUKS. */
const LOADED_READ_ONLY = /^((part\d+-)?mpath|CRYPT)-/;

/**
 * Starts a device again so that it can be written to, while it is used. A key goes from dmsetup to dmsetup and nowhere else.
 * @returns what went wrong, or null
 */
export async function reloadWritable(name: string): Promise<string | null> {
  if (!LOADED_READ_ONLY.test(attribute(BLOCK, name, 'dm/uuid'))) return null;
  const mapped = attribute(BLOCK, name, 'dm/name');
  const table = await dmsetup(['table', '--showkeys', mapped]);
  for (const [words, input] of [[['reload', mapped], table.stdout] as const, [['resume', mapped]] as const]) {
    const result = await dmsetup(words, input);
    if (result.code !== 0) return saidByMapper(result);
  }
  return null;
}
