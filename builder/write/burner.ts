import { MindiError } from '../../contract/error.ts';
import { run } from '../run.ts';

/** What xorriso says of the disc in a drive. */
export interface Disc {
  /** `CD-R`, `DVD+RW`, `BD-RE`, …; null: there is none that it knows. */
  kind: string | null;
  state: 'blank' | 'written' | 'none';
  rewritable: boolean;
  /** Bytes there is room for, once it is blank; null: it does not say. */
  room: number | null;
}

const BLOCK = 2048;
const REWRITABLE = /RW|RAM|BD-RE|overwriteable/;
const PROGRESS = /UPDATE :\s+(\d+) of\s+(\d+) MB written/;
const MB = 1 << 20;

/** Looks at the disc in a drive: `/dev/sr0`, or for xorriso's imitation of a drive `stdio:FILE`. */
export async function lookAtDisc(drive: string): Promise<Disc> {
  const { stdout, stderr } = await run('xorriso', ['-as', 'cdrecord', `dev=${drive}`, '-toc'], {
    accept: [5, 32],
    package: 'xorriso',
  });
  return parseDisc(stdout + stderr);
}

/** Reads `xorriso -toc`. */
export function parseDisc(text: string): Disc {
  const field = (name: string) => new RegExp(`^${name} *: *(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
  const kind = field('Media current');
  const state = /is (blank|written)/.exec(field('Media status'))?.[1] as 'blank' | 'written' | undefined;
  const [, writable, overall] = /(\d+) writable , (\d+) overall/.exec(field('Media blocks')) ?? [];
  const blocks = Number(state === 'blank' ? writable : overall);
  return {
    kind: state === undefined ? null : kind.replace(/ \(.*/, ''),
    state: state ?? 'none',
    rewritable: REWRITABLE.test(kind),
    room: blocks > 0 ? blocks * BLOCK : null,
  };
}

/**
 * Burns an image as the disc's only session, blanking it first when it has to be.
 * @param speed in the disc's own unit, 8 for 8x; undefined: the fastest
 * @throws MindiError `disc.failed`
 */
export async function burn(
  drive: string,
  image: string,
  blank: boolean,
  progress: (done: number, total: number) => void,
  speed?: number,
): Promise<void> {
  const how = [...(speed === undefined ? [] : [`speed=${speed}`]), ...(blank ? ['blank=as_needed'] : [])];
  const args = ['-as', 'cdrecord', '-v', `dev=${drive}`, ...how, image];
  const onLine = (line: string) => {
    const [, done, total] = PROGRESS.exec(line) ?? [];
    if (total) progress(Number(done) * MB, Number(total) * MB);
  };
  try {
    await run('xorriso', args, { package: 'xorriso', onLine });
  } catch (error) {
    if (!(error instanceof MindiError) || error.code !== 'tool.failed') throw error;
    throw new MindiError(
      `the disc was not burned to its end: no machine starts from it, and unless it is rewritable it is lost.\n${error.message}`,
      { code: 'disc.failed', where: drive, hint: 'Take another disc, or burn slower.', exitCode: 1, cause: error },
    );
  }
}
