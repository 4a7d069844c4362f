import { fileURLToPath } from 'node:url';
import type { Line } from './include.ts';
import { DRIVER_SETS, type DriverSet, driverSetNames, loadDriverSets } from './sets.ts';

/** Kinds of machines a system may move to, in the form of driver sets. */
export const TARGETS = fileURLToPath(new URL('../../profiles/targets', import.meta.url));

export interface Migrations {
  sets: DriverSet[];
  /** The items that are selectors. */
  lines: Line[];
  /** Names of all targets and sets, for "did you mean". */
  alternatives: string[];
}

/**
 * `drivers.migrateTo`: a target (profiles/targets/NAME.yaml), else a driver set, else a selector.
 * @throws MindiError `driver-set.*`
 */
export async function migrations(
  items: readonly string[],
  setDirectories: readonly string[] = [DRIVER_SETS],
  where: (index: number) => string | undefined = () => undefined,
): Promise<Migrations> {
  if (items.length === 0) return { sets: [], lines: [], alternatives: [] };
  const directories = [TARGETS, ...setDirectories];
  const alternatives = driverSetNames(directories);
  const isSet = (item: string) => alternatives.includes(item) || /\.ya?ml$/.test(item);
  const places = items.map((text, i) => ({ text, where: where(i) }));
  const named = places.filter(({ text }) => isSet(text));
  return {
    sets: await loadDriverSets(
      named.map(({ text }) => text),
      directories,
      (i) => named[i]?.where,
    ),
    lines: places.filter(({ text }) => !isSet(text)),
    alternatives,
  };
}

/** Names of the targets that come with mindi, sorted. */
export const targetNames = (): string[] => driverSetNames([TARGETS]);
