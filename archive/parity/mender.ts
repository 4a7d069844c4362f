import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PARITY } from '../../contract/archive-set.ts';
import { filesIn, parityState, repairIn } from './par2.ts';

export const hasParity = (folder: string) => existsSync(join(folder, PARITY));

/** Repairs volumes by their parity into a place of its own: what is on the medium stays as it is. */
export class Mender {
  readonly #work: string;
  /** Directories of the volumes that were damaged and are whole there. */
  readonly repaired: string[] = [];
  readonly #mended = new Map<string, Promise<string | null>>();

  /** @param work a directory for what is repaired */
  constructor(work: string) {
    this.#work = work;
  }

  /** Where the volume is whole; null when its parity cannot make it so. Tried once. */
  whole(folder: string): Promise<string | null> {
    const known = this.#mended.get(folder) ?? this.#mend(folder, join(this.#work, `mended-${this.#mended.size + 1}`));
    this.#mended.set(folder, known);
    return known;
  }

  async #mend(folder: string, to: string): Promise<string | null> {
    if (!hasParity(folder)) return null;
    // par2 writes what it repairs, and reads the rest by these links.
    for (const name of filesIn(folder)) {
      mkdirSync(dirname(join(to, name)), { recursive: true });
      symlinkSync(join(folder, name), join(to, name));
    }
    const state = await parityState(to);
    if (state === 'whole') return to;
    if (state === 'lost' || !(await repairIn(to))) return null;
    this.repaired.push(folder);
    return to;
  }
}
