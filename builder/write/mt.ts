import { MindiError } from '../../contract/error.ts';
import { run } from '../run.ts';

export interface MtStatus {
  /** A tape is in the drive; null: mt does not say. */
  loaded: boolean | null;
  protected: boolean;
  /** The density code and its name, `0x58 (LTO-5)`; null: none given. */
  density: string | null;
}

/**
 * Runs an operation of mt(1), mt-st's, on a drive that nobody has open: the ones Node has no call for.
 * @throws MindiError `tape.*` for what the drive says, `tool.missing`
 */
export async function mt(device: string, ...operation: string[]): Promise<string> {
  try {
    return (await run('mt', ['-f', device, ...operation])).stdout;
  } catch (error) {
    if (!(error instanceof MindiError) || error.code !== 'tool.failed') throw error;
    throw new MindiError(`mt ${operation.join(' ')}: ${reason(error.message)}`, {
      code: BUSY.test(error.message) ? 'tape.busy' : 'tape.failed',
      where: device,
      hint: BUSY.test(error.message) ? 'End the program that uses the drive; nothing was written.' : undefined,
      exitCode: 1,
      cause: error,
    });
  }
}

const BUSY = /Device or resource busy/;
/** mt ends its line with the system's words. */
const reason = (message: string) => message.trimEnd().split('\n').at(-1)?.split(': ').at(-1) ?? message;

/** What `mt status` says of the tape in the drive. */
export async function mtStatus(device: string): Promise<MtStatus> {
  return parseStatus(await mt(device, 'status'));
}

export function parseStatus(text: string): MtStatus {
  const bits = new Set(/General status bits on[^\n]*\n([^\n]*)/.exec(text)?.[1]?.trim().split(/\s+/));
  const [, code, name] = /Density code (0x[0-9a-f]+) \(([^)\n]*)\)/.exec(text) ?? [];
  return {
    loaded: bits.has('DR_OPEN') ? false : bits.has('ONLINE') ? true : null,
    protected: bits.has('WR_PROT'),
    density: code === undefined || Number(code) === 0 ? null : `${code} (${name})`,
  };
}

/** Switches the drive's compression. Drives that cannot are told of, not failed on. */
export async function setCompression(device: string, on: boolean, note: (text: string) => void): Promise<void> {
  try {
    await mt(device, 'compression', on ? '1' : '0');
  } catch (error) {
    if (!(error instanceof MindiError) || error.code === 'tool.missing') throw error;
    note(`the drive does not switch its compression ${on ? 'on' : 'off'} (${error.message}); it stays as it is`);
  }
}
