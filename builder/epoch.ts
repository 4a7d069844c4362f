import fs from 'fs-extra';
import { MindiError } from '../contract/error.ts';
import type { Mountlist } from '../contract/mountlist.ts';
import { cached, hashOf } from './cache.ts';

/**
 * The moment written on the media, in seconds since 1970: SOURCE_DATE_EPOCH, else when this layout was first captured,
 * else the kernel's build date. Never "now": two builds of the same inputs must give the same bytes.
 * @throws MindiError when SOURCE_DATE_EPOCH is no whole number (https://reproducible-builds.org/specs/source-date-epoch/)
 */
export function mediaEpoch(mountlist: Mountlist | null, kernelBanner: string): number {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined && given !== '') {
    if (/^\d{1,11}$/.test(given)) return Number(given);
    throw new MindiError(`SOURCE_DATE_EPOCH is not a number of seconds: ${JSON.stringify(given)}`, {
      code: 'epoch.invalid',
      hint: 'Unset it, or set it as `date +%s` prints it.',
    });
  }
  return mountlist?.captured ?? kernelDate(kernelBanner) ?? 0;
}

/** How the distributions write the build date, each with a text that Date.parse takes. */
const DATES: [RegExp, (match: RegExpMatchArray) => string][] = [
  [/\((\d{4}-\d{2}-\d{2})\)/, ([, day]) => `${day}T00:00:00Z`],
  [/\b[A-Z][a-z]{2} ([A-Z][a-z]{2} +\d{1,2} [\d:]{8} )(?:[A-Z]+ )?(\d{4})\b/, ([, day, year]) => `${day}${year} UTC`],
  [/\b[A-Z][a-z]{2}, (\d{1,2} [A-Z][a-z]{2} \d{4} [\d:]{8} [+-]\d{4})/, ([, date]) => `${date}`],
];

/** The build date in a kernel's banner, seconds since 1970; undefined when there is none. */
export function kernelDate(banner: string): number | undefined {
  for (const [pattern, text] of DATES) {
    const match = banner.match(pattern);
    const time = match ? Date.parse(text(match)) : Number.NaN;
    if (!Number.isNaN(time)) return time / 1000;
  }
  return undefined;
}

/** The same mountlist with the time when this very layout was first captured here, so that nothing changes until it does. */
export async function firstCapture(mountlist: Mountlist): Promise<Mountlist> {
  const { entries, machine, captured } = mountlist;
  if (captured === null) return mountlist;
  const file = await cached('captures', hashOf([entries, machine]), (path) => fs.writeFile(path, `${captured}\n`));
  const first = Number(await fs.readFile(file, 'utf8'));
  return { ...mountlist, captured: Number.isFinite(first) && first > 0 ? first : captured };
}
