import { mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { extract } from '../../archive/extract.ts';
import { openSet } from '../../archive/set.ts';
import { driveSource } from '../../archive/sources/drive.ts';
import { tapeVolume } from '../../archive/sources/tape.ts';
import { tapeTarget } from '../../archive/targets/tape.ts';
import { verifySet } from '../../archive/verify.ts';
import { archiveTree, makeTree, treeDifferences } from '../archive-tree.ts';
import { type FakeTape, fakeDrive } from '../fake-tape.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const work = temporaryFolder('tape');
const tree = join(work, 'tree');
beforeAll(() => makeTree(tree));

const MIB = 1 << 20;
const tapeOf = (capacity: number, more: Partial<FakeTape> = {}): FakeTape => ({ objects: [], capacity, ...more });

/** Archives onto these tapes, one after the other as they are asked for. */
async function archiveTapes(tapes: readonly FakeTape[], more = {}) {
  const [first, ...others] = tapes;
  const drive = fakeDrive(first);
  const asked: string[] = [];
  const ask = async (question: string) => {
    asked.push(question);
    drive.tape = others.shift();
    return drive.tape ? '' : 'stop';
  };
  const to = { tape: '/dev/nst9' };
  const scratch = mkdtempSync(join(work, 'scratch-'));
  const settings = { to, scratch, volume: [16 * MIB], verify: true, ...more };
  const result = await archiveTree(tree, '', settings, { ask, open: (context) => tapeTarget(to, context, drive) });
  expect(readdirSync(scratch)).toEqual([]);
  return { result, asked };
}

/** Opens the set on the tapes; the one in the drive first is the last of them, the others are put in as they are asked for. */
async function openTapes(tapes: readonly FakeTape[]) {
  const drive = fakeDrive(tapes.at(-1));
  const asked: string[] = [];
  const ask = async (question: string) => {
    asked.push(question);
    drive.tape = tapes[Number(/tape (\d+) of/.exec(question)?.[1]) - 1];
    return drive.tape ? '' : 'stop';
  };
  const close = async () => {};
  const source = await driveSource(
    { name: drive.name, thing: 'tape', look: () => tapeVolume(drive), letGo: drive.offline, close },
    ask,
  );
  return { set: await openSet(drive.name, undefined, { source }), asked };
}

describe('tapes', () => {
  test.each([
    ['that hold what archive.volume says', [tapeOf(32 * MIB), tapeOf(32 * MIB)], { volume: [4 * MIB] }],
    ['that end early', [tapeOf(2 * MIB), tapeOf(2.5 * MIB), tapeOf(32 * MIB)], {}],
    ['of which one breaks', [tapeOf(32 * MIB, { breaks: 3 * MIB }), tapeOf(32 * MIB)], {}],
  ])('%s: the next one is asked for, and the set is whole', async (_, tapes, more) => {
    const { result, asked } = await archiveTapes(tapes, more);
    expect(result).toMatchObject({ set: '/dev/nst9', volumes: tapes.length, troubles: {} });
    expect(asked).toEqual(
      tapes.slice(1).map((_, index) => `Put tape ${index + 2} into /dev/nst9 and press Enter (or type stop):`),
    );

    const { set, asked: wanted } = await openTapes(tapes);
    await using open = set;
    expect(await verifySet(open, () => {})).toMatchObject({ problems: [], damaged: [] });
    expect(wanted[0]).toMatch(/^In \/dev\/nst9: tape \d\. Put in tape 1 of /);
    const to = join(work, `restored-${tapes.length}-${Object.keys(more).length}-${tapes[0]?.breaks ?? 0}`);
    expect(await extract(open, { paths: [], to, overwrite: false, own: false }, () => {})).toMatchObject({
      failed: [],
    });
    expect(treeDifferences(tree, join(to, tree))).toBe('');
  });

  test('a tape of the same set, one that is protected and none are refused, until the person stops', async () => {
    const first = tapeOf(3 * MIB);
    const tapes = [first, first, tapeOf(32 * MIB, { protected: true })];
    await expect(archiveTapes(tapes)).rejects.toThrow('there is no tape 2');
    await expect(openTapes([first])).rejects.toThrow('the last tape of the set is not here');
  });
});
