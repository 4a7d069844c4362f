import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { pruneAll } from '../../archive/run/prune.ts';
import { planRetention } from '../../archive/run/retention.ts';
import type { Keep } from '../../archive/run/settings.ts';
import { newestSet, type StoredSet, storedSets } from '../../archive/run/stored-sets.ts';

/** A set made on a day; `base`: the number of the one it is a differential of. */
function set(number: number, created: string | null, base?: number, name = 'web'): StoredSet {
  const directory = `${name}-${String(number).padStart(6, '0')}${created === null ? '.incomplete' : ''}`;
  const volume = created && {
    ...{
      format: 1 as const,
      set: `${name}${number}`,
      number: 1,
      of: 1,
      machine: 'web1',
      created: new Date(created).toISOString(),
    },
    ...(base === undefined ? {} : { base: `web${base}` }),
  };
  return { folder: `/bkp/${directory}`, directory, name, number, complete: created !== null, volume: volume || null };
}

function numbersKept(sets: readonly StoredSet[], keep: Keep): number[] {
  const { kept, removed } = planRetention(
    sets.toSorted((one, other) => other.number - one.number),
    'web',
    keep,
  );
  expect(kept.length + removed.length).toBe(sets.filter(({ name }) => name === 'web').length);
  return kept.map(({ set: { number } }) => number).sort((one, other) => one - other);
}

describe('which sets stay', () => {
  const days = (...dates: string[]) => dates.map((date, n) => set(n + 1, date));

  test('the newest of each day, week, month, year that have one', () => {
    const sets = days(
      '2024-12-30',
      '2025-12-31',
      '2026-10-05',
      '2026-10-31',
      '2026-11-01',
      '2026-11-02T01:00',
      '2026-11-02T02:00',
      '2026-11-04',
    );
    expect(numbersKept(sets, { last: 2 })).toEqual([7, 8]);
    expect(numbersKept(sets, { daily: 3 })).toEqual([5, 7, 8]);
    // 2 November 2026 is a Monday.
    expect(numbersKept(sets, { weekly: 2 })).toEqual([5, 8]);
    expect(numbersKept(sets, { monthly: 3 })).toEqual([2, 4, 8]);
    expect(numbersKept(sets, { yearly: 3 })).toEqual([1, 2, 8]);
    expect(numbersKept(sets, { daily: 1, yearly: 2 })).toEqual([2, 8]);
  });

  test('what a kept one is a differential of, through all of them, and of other profiles, too', () => {
    const sets = [
      set(1, '2026-01-01'),
      set(2, '2026-01-02', 1),
      set(3, '2026-01-03', 2),
      set(4, '2026-01-04', 1),
      set(5, '2026-01-05'),
    ];
    expect(numbersKept(sets, { last: 1 })).toEqual([5]);
    expect(numbersKept(sets, { last: 2 })).toEqual([1, 4, 5]);
    expect(numbersKept(sets, { last: 3 })).toEqual([1, 2, 3, 4, 5]);
    expect(numbersKept([...sets, set(9, '2026-01-09', 2, 'other')], { last: 1 })).toEqual([1, 2, 5]);
  });

  test('incomplete ones newer than the newest complete one; all while there is none', () => {
    const sets = [set(1, null), set(2, '2026-01-02'), set(3, null), set(4, '2026-01-04'), set(5, null)];
    expect(numbersKept(sets, { last: 1 })).toEqual([4, 5]);
    expect(numbersKept([set(1, null), set(2, null)], { last: 1 })).toEqual([1, 2]);
  });

  test('a clock that went back, or ahead for a while: nobody else pays for it', () => {
    const back = days('2026-11-01', '2026-11-02', '1970-01-01', '2026-11-04', '2026-11-05');
    expect(numbersKept(back, { daily: 3 })).toEqual([2, 3, 4, 5]);
    expect(numbersKept(back, { daily: 2 })).toEqual([4, 5]);
    const ahead = days('2026-11-01', '2026-11-02', '2099-01-01', '2026-11-04', '2026-11-05');
    expect(numbersKept(ahead, { daily: 3 })).toEqual([2, 3, 4, 5]);
    expect(numbersKept(days('2026-11-01', '2026-11-02', '2026-11-03', '1970-01-01'), { daily: 3 })).toEqual([
      1, 2, 3, 4,
    ]);
  });

  test('never the newest complete one, never a base, whatever the policy and the dates', () => {
    const date = fc.date({ min: new Date('1990-01-01'), max: new Date('2040-01-01'), noInvalidDate: true });
    const some = fc.array(fc.tuple(fc.option(date), fc.nat(5)), { minLength: 1, maxLength: 20 });
    const policy = fc.record(
      {
        last: fc.integer({ min: 1, max: 4 }),
        daily: fc.integer({ min: 1, max: 4 }),
        monthly: fc.integer({ min: 1, max: 4 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(some, policy, (entries, keep) => {
        const sets = entries.map(([created, back], n) =>
          set(
            n + 1,
            created?.toISOString() ?? null,
            back > 0 && n >= back && entries[n - back]?.[0] ? n + 1 - back : undefined,
          ),
        );
        const kept = numbersKept(sets, keep);
        const complete = sets.filter(({ volume }) => volume);
        if (complete.length > 0) expect(kept).toContain(complete.at(-1)?.number);
        for (const { number, volume } of complete)
          if (kept.includes(number) && volume?.base) expect(kept).toContain(Number(volume.base.slice('web'.length)));
        expect(complete.filter(({ number }) => kept.includes(number)).length).toBeGreaterThanOrEqual(
          Math.min(complete.length, keep.last ?? 1),
        );
      }),
    );
  });
});

describe('in a directory', () => {
  let work: string;
  beforeEach(() => {
    work = mkdtempSync(join(tmpdir(), 'mindi-retention-'));
    for (const number of [1, 2, 3]) make(number);
  });
  afterEach(() => rmSync(work, { recursive: true }));

  function make(number: number): void {
    const { directory, volume } = set(number, `2026-01-0${number}`);
    mkdirSync(join(work, directory, 'volume-001/mindi'), { recursive: true });
    writeFileSync(join(work, directory, 'volume-001/mindi/volume.json'), JSON.stringify(volume));
  }

  test('what is no set of ours is not touched; a removal that was cut off is ended; a dry run only tells', async () => {
    for (const name of ['web-000000', 'web-000009.removing', 'notes', 'web-1.removing']) mkdirSync(join(work, name));
    symlinkSync('notes', join(work, 'web-000004'));
    writeFileSync(join(work, 'web-000005'), '');
    const dry = await pruneAll(work, null, { last: 1 }, true);
    expect(dry.removed).toEqual(['web-000002', 'web-000001']);
    expect(existsSync(join(work, 'web-000001'))).toBe(true);
    expect(await pruneAll(work, ['web'], { last: 1 }, false)).toMatchObject({ removed: dry.removed, problems: [] });
    expect(readdirSync(work).sort()).toEqual([
      '.mindi-lock',
      'notes',
      'web-000000',
      'web-000003',
      'web-000004',
      'web-000005',
      'web-1.removing',
    ]);
  });

  test('a set that is being removed is no set any more', () => {
    mkdirSync(join(work, 'web-000007.removing/volume-001'), { recursive: true });
    expect(newestSet(storedSets(work), 'web')?.number).toBe(3);
  });
});
