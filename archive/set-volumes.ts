import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CATALOG, SEALED_CATALOG } from '../contract/archive-set.ts';
import { MindiError } from '../contract/error.ts';
import { VOLUME_FILE } from '../contract/volume.ts';
import { type PresentVolume, presentVolume, volumeFolders } from './find-set.ts';
import type { Mender } from './parity/mender.ts';
import { sumOf } from './sums.ts';

/** A volume, and where it is read from: where it lies, or where it was repaired. */
export interface ReadVolume extends PresentVolume {
  from: string;
}

/** The volumes in a set's directory. */
export class SetVolumes {
  /** What is damaged of what tells about the volumes, a sentence each. */
  readonly problems: string[] = [];
  #there: ReadVolume[] = [];
  readonly #folder: string;
  readonly #mender: Mender;

  constructor(folder: string, mender: Mender) {
    this.#folder = folder;
    this.#mender = mender;
  }

  get there(): readonly PresentVolume[] {
    return this.#there;
  }

  of(set: string): ReadVolume[] {
    return this.#there.filter(({ volume }) => volume.set === set);
  }

  /**
   * The volume with the catalog; of several sets (a volume of another one among them) the one most volumes are of.
   * Volumes that are damaged are repaired by their parity, as far as they must be for that.
   * @throws MindiError `set.no-catalog`, `set.catalog`
   */
  async withCatalog(): Promise<ReadVolume> {
    for (const folder of volumeFolders(this.#folder)) {
      const volume = presentVolume(folder);
      if (volume) this.#there.push({ ...volume, from: folder });
      else await this.#mend(folder, VOLUME_FILE);
    }
    const found = this.#catalogs()[0] ?? (await this.#mendedCatalog());
    if (!found) throw noCatalog(this.#folder, this.#there);
    if (await isAsListed(found)) return found;
    const mended = await this.#mend(found.folder, nameOf(found.from));
    if (mended && (await isAsListed(mended))) return mended;
    throw damagedCatalog(join(found.folder, nameOf(found.from)));
  }

  #catalogs(): ReadVolume[] {
    const count = (set: string) => this.of(set).length;
    return this.#there
      .filter(({ from }) => hasCatalog(from))
      .toSorted((one, other) => count(other.volume.set) - count(one.volume.set));
  }

  /** A catalog that is missing altogether may come back, too. */
  async #mendedCatalog(): Promise<ReadVolume | undefined> {
    for (const { folder } of this.#there.toReversed()) {
      const mended = await this.#mend(folder, CATALOG);
      if (mended && hasCatalog(mended.from)) return mended;
    }
    return undefined;
  }

  /** @param what is damaged, for people */
  async #mend(folder: string, what: string): Promise<ReadVolume | null> {
    const from = await this.#mender.whole(folder);
    const volume = from && presentVolume(from);
    if (!volume) return null;
    const mended = { ...volume, folder, from };
    this.problems.push(`${join(folder, what)} is damaged`);
    this.#there = [...this.#there.filter((one) => one.folder !== folder), mended];
    return mended;
  }
}

const nameOf = (folder: string) => (existsSync(join(folder, SEALED_CATALOG)) ? SEALED_CATALOG : CATALOG);
const hasCatalog = (folder: string) => existsSync(join(folder, nameOf(folder)));

async function isAsListed({ from, sums }: ReadVolume): Promise<boolean> {
  const name = nameOf(from);
  const expected = sums.find(({ path }) => path === name)?.sha256;
  return expected !== undefined && (await sumOf(join(from, name)))?.sha256 === expected;
}

function noCatalog(folder: string, volumes: readonly PresentVolume[]): MindiError {
  const numbers = volumes.map(({ volume }) => volume.number).join(', ');
  const there = numbers ? `the volumes ${numbers}` : 'none';
  return new MindiError(`the volume with the catalog, the last one, is missing; there are ${there}`, {
    code: 'set.no-catalog',
    where: folder,
    hint: 'Put it beside the others. Without it archives are restored by hand, as the README on each volume says.',
    exitCode: 1,
  });
}

const damagedCatalog = (where: string) =>
  new MindiError('the catalog is damaged', {
    code: 'set.catalog',
    where,
    hint: 'Its archives can be restored by hand, as the README on each volume says; `sha256sum -c SHA256SUMS` tells which are whole.',
    exitCode: 1,
  });
