import type { Profile } from '../../builder/profile/load.ts';
import { parseSpan } from '../../builder/profile/size.ts';
import type { HookCommand, HookSettings } from './hooks.ts';

/** How many sets stay: the newest `last`, and the newest of each of so many days, weeks, months, years. */
export type Keep = Partial<Record<'last' | 'daily' | 'weekly' | 'monthly' | 'yearly', number>>;

/** What happens around an archive run. */
export interface RunSettings {
  hooks: HookSettings;
  consistency: 'live' | 'snapshot' | 'auto';
  /** Minutes a full set is the base of others; null: each set is full. */
  differential: number | null;
  /** Null: nothing is removed. */
  keep: Keep | null;
}

/** What a profile says of the run. */
export function runSettings({ archive }: Profile): RunSettings {
  return {
    hooks: {
      before: archive.before.map(command),
      after: archive.after.map(command),
      limit: parseSpan(archive.hookLimit) ?? 1,
    },
    consistency: archive.consistency,
    differential: archive.differential === null ? null : parseSpan(archive.differential),
    keep: archive.keep as Keep | null,
  };
}

const command = (said: string | readonly string[]): HookCommand => (typeof said === 'string' ? [said] : said);
