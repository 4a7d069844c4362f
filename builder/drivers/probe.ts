import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { MindiError } from '../../contract/error.ts';
import { run } from '../run.ts';

/** The one program that looks at a machine: also copied to machines without mindi, and onto the media. */
export const PROBE = fileURLToPath(new URL('../../scripts/probe', import.meta.url));

/**
 * This machine's hardware, as the JSON of a hardware file.
 * @param out write it there as well, whole or not at all
 * @throws MindiError `probe.failed` in the words of the program: no sysfs, `out` cannot be written
 */
export async function probeMachine(out?: string): Promise<string> {
  const args = out === undefined ? [] : [`--out=${out}`];
  const { stdout, stderr, exitCode } = await run('sh', [PROBE, ...args], { accept: [1, 2] });
  if (exitCode === 0) return out === undefined ? stdout : readFile(out, 'utf8');
  const said = stderr.trim().split('\n').at(-1) ?? '';
  throw new MindiError(said.replace(/^probe: /, ''), {
    code: 'probe.failed',
    hint: 'See `mindi probe --help`.',
    exitCode: exitCode === 2 ? 2 : 1,
  });
}
