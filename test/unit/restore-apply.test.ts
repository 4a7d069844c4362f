import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MindiError } from '../../contract/error.ts';
import { emptyLayout, type Layout } from '../../contract/layout/schema.ts';
import { apply, type Hands, objections } from '../../restore/apply.ts';
import { type JournalLine, parseJournal } from '../../restore/journal.ts';
import { type Plan, plan } from '../../restore/plan/plan.ts';
import { layoutOf, randomLayouts } from '../layouts.ts';
import { interpret, runIn, type World, worldOf } from '../plan-interpreter.ts';

class PowerCut extends Error {}

/** A plan for a random layout; null where its groups are too full. */
function planned(layout: Layout): Plan | null {
  try {
    return plan(layout, { there: { ...emptyLayout(), disks: layout.disks } });
  } catch (error) {
    if (error instanceof MindiError) return null;
    throw error;
  }
}

/** Hands in a world whose power is cut when so many things have been done. */
function handsIn(world: World, journal: JournalLine[], cutAfter = Number.POSITIVE_INFINITY): Hands & { ran: string[] } {
  let left = cutAfter;
  const cut = () => {
    left -= 1;
    if (left < 0) throw new PowerCut();
  };
  const ran: string[] = [];
  return {
    ran,
    run: async (argv, stdin) => {
      cut();
      ran.push(argv.join(' '));
      const code = runIn(world, argv, stdin);
      cut();
      return { code, stderr: code === 0 ? '' : 'refused' };
    },
    appears: async (node) => {
      const id = world.idOf(node);
      return !world.layout.encrypted[id] || world.open.has(id);
    },
    isMounted: async (path) => world.mounted.has(path),
    secret: async () => 'secret',
    journal: async (line) => {
      cut();
      journal.push(line);
    },
    tell: () => {},
  };
}

test('a plan that was cut off anywhere, again and again, makes what it makes in one go', async () => {
  let cuts = 0;
  await fc.assert(
    fc.asyncProperty(
      randomLayouts,
      fc.array(fc.integer({ min: 3, max: 60 }), { maxLength: 5 }),
      async (layout, times) => {
        const made = planned(layout);
        if (!made) return;
        const world = worldOf(made, layout.disks);
        const journal: JournalLine[] = [];
        for (const time of times) {
          try {
            await apply(made, handsIn(world, journal, time), { before: [...journal] });
          } catch (error) {
            if (!(error instanceof PowerCut)) throw error;
            cuts += 1;
            world.open.clear();
            world.mounted.clear();
          }
        }
        expect(await apply(made, handsIn(world, journal), { before: [...journal] })).toEqual({ done: true });
        expect(world.layout).toEqual(interpret(made, layout.disks));
      },
    ),
    { numRuns: 25 },
  );
  expect(cuts).toBeGreaterThan(20);
});

test('a step that fails stops it, tells which; skipped it goes on, and stays skipped', async () => {
  const layout = layoutOf(3);
  const made = planned(layout) as Plan;
  const failing = made.steps.findIndex(({ kind }) => kind === 'filesystem');
  const world = worldOf(made, layout.disks);
  const journal: JournalLine[] = [];
  const hands = handsIn(world, journal);
  const broken: Hands = {
    ...hands,
    run: async (argv, stdin) =>
      argv === made.steps[failing]?.argv ? { code: 1, stderr: 'no space\n' } : hands.run(argv, stdin),
  };
  expect(await apply(made, broken)).toEqual({ done: false, step: failing, said: 'no space' });
  await apply(made, hands, { before: [...journal], skip: [failing] });
  const ran = hands.ran.length;
  expect(hands.ran).not.toContain(made.steps[failing]?.argv.join(' '));
  await apply(made, hands, { before: [...journal] });
  expect(hands.ran.slice(ran).every((line) => line.startsWith('mount') || line.startsWith('umount'))).toBe(true);
});

test('a device that does not appear is a failure', async () => {
  const layout = layoutOf(3);
  const made = planned(layout) as Plan;
  const hands = { ...handsIn(worldOf(made, layout.disks), []), appears: async () => false };
  expect(await apply(made, hands)).toMatchObject({ done: false, said: expect.stringContaining('did not appear') });
});

test('another plan, other disks and other content are refused', () => {
  const layout = layoutOf(3);
  const there: Layout = { ...emptyLayout(), disks: layout.disks };
  const made = plan(layout, { there });
  const codes = (one: Plan, now = there, hash = made.hash, begun = false) =>
    objections(one, now, hash, begun).map(({ code }) => code);
  expect(codes(made)).toEqual([]);
  expect(codes(made, there, 'other')).toEqual(['restore.other-plan']);
  expect(codes({ ...made, steps: made.steps.slice(1) })).toEqual(['restore.other-plan']);
  const [id = ''] = Object.keys(layout.disks);
  const other = { ...there, disks: { ...there.disks, [id]: { size: 1, serial: 'other' } } };
  expect(codes(made, other)).toEqual(['restore.other-disk']);
  const filled: Layout = { ...there, filesystems: { [id]: { type: 'ext4' } } };
  expect(codes(made, filled)).toEqual(['restore.changed']);
  expect(codes(made, filled, made.hash, true)).toEqual([]);
  const inUse: Layout = { ...there, filesystems: { [id]: { type: 'vfat', mounts: [{ at: '/run/mindi/medium' }] } } };
  expect(codes(made, inUse, made.hash, true)).toEqual(['restore.in-use']);
});

test('a journal is read up to where the power was cut; of another plan it is refused', () => {
  const text = '{"plan":"h"}\n{"step":0,"state":"begun"}\n{"step":0,"sta';
  expect(parseJournal(text, 'h', 'j')).toEqual([{ plan: 'h' }, { step: 0, state: 'begun' }]);
  expect(parseJournal('', 'h', 'j')).toEqual([]);
  expect(() => parseJournal(text, 'other', 'j')).toThrow('another plan');
  expect(() => parseJournal('{"plan":"h"}\nnonsense\n', 'h', 'j')).toThrow('no line of a journal');
});
