import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { extract } from '../../archive/extract.ts';
import { compareLive } from '../../archive/live.ts';
import { archiveRun } from '../../archive/run/run.ts';
import type { Keep } from '../../archive/run/settings.ts';
import { openSet } from '../../archive/set.ts';
import { verifySet } from '../../archive/verify.ts';
import { makeTree, SETTINGS, treeDifferences } from '../archive-tree.ts';

let work: string;
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'mindi-differential-'));
});
afterAll(() => rmSync(work, { recursive: true }));

const QUIET = { step: () => {}, progress: () => {}, note: () => {} };
const RUN = { hooks: { before: [], after: [], limit: 1 }, consistency: 'live' } as const;

function archived(
  tree: string,
  directory: string,
  { since = null as string | null, differential = null as number | null, keep = null as Keep | null } = {},
) {
  const settings = { ...SETTINGS, include: [tree], to: { directory }, volume: [4 << 20] };
  return archiveRun(settings, { ...RUN, differential, keep }, { wait: 0, since }, QUIET);
}

/** What comes back of the newest set. */
async function restored(sets: string, to: string): Promise<string> {
  await using set = await openSet(sets);
  expect((await extract(set, { paths: [], to, overwrite: false }, () => {})).failed).toEqual([]);
  return to;
}

const shell = (tree: string, script: string) => execFileSync('bash', ['-ec', script], { cwd: tree });

describe('a tree with everything', () => {
  const place = (name: string) => join(work, name);

  test('base, differential, and one on top of that: each gives exactly the tree', async () => {
    const tree = place('tree');
    makeTree(tree);
    shell(tree, 'mkdir a b; echo 1 > a/x; echo 2 > b/x; seq 300000 > big; seq 900000 | shuf > bigger; ln big big-link');
    const full = await archived(tree, place('sets'));
    expect(full.base).toBeUndefined();
    shell(
      tree,
      `mv a c; mv b a; mv c b
       echo more >> plain; rm -r sub/deep; setfattr -n user.new -v 1 old; chmod 600 all-hole; rm hard
       mv shared moved; mkdir empty; rm fifo; mkdir fifo; ln -sfn /elsewhere sym; setfacl -m u:9:r caps
       touch -r old plain; mv holes sub/holes`,
    );
    const second = await archived(tree, place('sets'), { since: 'last' });
    expect(second.base).toBe('tree-000001');
    expect(second.stored).toBeLessThan(full.stored / 2);
    expect(treeDifferences(tree, join(await restored(place('sets'), place('two')), tree))).toBe('');
    shell(tree, 'rm big; echo 3 > a/y; mv sub/holes holes; rmdir empty');
    const third = await archived(tree, place('sets'), { since: 'last' });
    expect(third).toMatchObject({ base: 'tree-000002', deleted: 3 });
    expect(treeDifferences(tree, join(await restored(place('sets'), place('three')), tree))).toBe('');
    await using set = await openSet(place('sets'));
    expect(await verifySet(set, () => {})).toMatchObject({ problems: [], damaged: [] });
    expect(await compareLive(set)).toEqual([]);
  });

  test('nothing changed: next to nothing is written', async () => {
    const { files, kept, deleted } = await archived(place('tree'), place('sets'), { since: 'last' });
    expect({ files: files < 8, kept: (kept ?? 0) > 30, deleted }).toEqual({ files: true, kept: true, deleted: 0 });
    expect(treeDifferences(place('tree'), join(await restored(place('sets'), place('four')), place('tree')))).toBe('');
  });

  test('a damaged archive of the base: verify of the differential names the files, all else comes back', async () => {
    await using set = await openSet(place('sets'));
    const { archive, base } = set.catalog
      .prepare("SELECT archive, base FROM members WHERE path LIKE '%/numbers'")
      .get() as { archive: number; base: number };
    const holder = set.bases[base - 1]?.set;
    const volume = holder?.catalog.prepare('SELECT volume FROM archives WHERE number = ?').get(archive)?.volume;
    const path = holder?.archivePath(archive, Number(volume)) ?? '';
    execFileSync('cp', [path, place('saved')]);
    execFileSync('dd', ['if=/dev/zero', `of=${path}`, 'bs=1', 'seek=3000', 'count=64', 'conv=notrunc', 'status=none']);
    const { problems, damaged } = await verifySet(set, () => {});
    expect(problems).toEqual([`${holder?.folder.split('/').pop()}: ${path} is damaged`]);
    const { failed } = await extract(set, { paths: [], to: place('around'), overwrite: false }, () => {});
    expect(damaged.length).toBeGreaterThan(0);
    expect(failed.filter((text) => / is damaged/.test(text)).length).toBe(damaged.length);
    execFileSync('cp', [place('saved'), path]);
  });

  test('the base is missing: said plainly; what the set holds itself comes back all the same', async () => {
    renameSync(place('sets/tree-000001'), place('away'));
    await using set = await openSet(place('sets/tree-000003'));
    const call = { paths: [], to: place('alone'), overwrite: false };
    await expect(extract(set, call, () => {})).rejects.toThrow(
      /differential set, and what it was made from is missing or damaged: tree-000001/,
    );
    expect((await verifySet(set, () => {})).problems.join()).toContain('tree-000001');
    const own = await extract(set, { ...call, own: true }, () => {});
    expect(own.failed).toEqual([]);
    const one = { ...call, paths: [join(place('tree'), 'a/y')], to: place('one') };
    expect((await extract(set, one, () => {})).failed).toEqual([]);
    renameSync(place('away'), place('sets/renamed-000001'));
    await using found = await openSet(place('sets/tree-000003'));
    expect(await verifySet(found, () => {})).toMatchObject({ problems: [] });
    renameSync(place('sets/renamed-000001'), place('sets/tree-000001'));
  });

  test('since the full one, a date, nothing; what is no set', async () => {
    expect((await archived(place('tree'), place('sets'), { since: 'full' })).base).toBe('tree-000001');
    expect((await archived(place('tree'), place('sets'), { differential: 60 })).base).toBe('tree-000001');
    expect((await archived(place('tree'), place('sets'), { since: '2001-01-01' })).base).toBeUndefined();
    expect((await archived(place('tree'), place('sets'), { since: '2100-01-01' })).base).toBe('tree-000007');
    expect((await archived(place('tree'), place('sets'), { differential: 0 })).base).toBeUndefined();
    await expect(archived(place('tree'), place('sets'), { since: 'nonsense' })).rejects.toThrow(
      /no set of .*, and no date/,
    );
  });
});

test('an encrypted set is not what another one starts from', async () => {
  const tree = join(work, 'sealed');
  mkdirSync(tree);
  const identity = await generateX25519Identity();
  const encryption = { age: [await identityToRecipient(identity)], passphraseFile: null };
  const settings = { ...SETTINGS, include: [tree], to: { directory: join(work, 'sealed-sets') }, encryption };
  const run = (since: string | null, differential: number | null) =>
    archiveRun(settings, { ...RUN, differential, keep: null }, { wait: 0, since }, QUIET);
  expect((await run(null, 60)).base).toBeUndefined();
  expect((await run(null, 60)).base).toBeUndefined();
  await expect(run('last', null)).rejects.toThrow(/is encrypted: what is in it cannot be compared/);
});

/** What can happen to one of four files in one of three directories. */
const CHANGES = [
  'write',
  'append',
  'remove',
  'move',
  'link',
  'chmod',
  'attribute',
  'swap',
  'symlink',
  'touch',
] as const;
const change = fc.tuple(fc.constantFrom(...CHANGES), fc.nat(11), fc.nat(11), fc.nat());

test('random changes: base and differentials give exactly the tree', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(change, { maxLength: 12 }), { minLength: 2, maxLength: 3 }), async (rounds) => {
      const random = mkdtempSync(join(work, 'random-'));
      const tree = join(random, 'tree');
      execFileSync('mkdir', ['-p', `${tree}/d0`, `${tree}/d1`, `${tree}/d2/deep`]);
      for (let n = 0; n < 12; n += 3) writeFileSync(join(tree, `d${n % 3}/f${n % 4}`), `${n}`);
      await archived(tree, join(random, 'sets'));
      for (const [number, changes] of rounds.entries()) {
        shell(tree, changes.map(commandOf).join('\n'));
        await archived(tree, join(random, 'sets'), { since: 'last' });
        const to = await restored(join(random, 'sets'), join(random, `out${number}`));
        expect(treeDifferences(tree, join(to, tree))).toBe('');
      }
      rmSync(random, { recursive: true });
    }),
    { numRuns: 4 },
  );
});

function commandOf([what, one, other, number]: [(typeof CHANGES)[number], number, number, number]): string {
  const path = (n: number) => `d${n % 3}/f${n % 4}`;
  const [a, b] = [path(one), path(other)];
  const commands: Record<(typeof CHANGES)[number], string> = {
    write: `echo ${number} > ${a}`,
    append: `echo ${number} >> ${a}`,
    remove: `rm -f ${a}`,
    move: `mv -f ${a} ${b}`,
    link: `ln -f ${a} ${b}`,
    chmod: `chmod ${(number % 8) + 600} ${a}`,
    attribute: `setfattr -n user.a -v ${number} ${a}`,
    swap: `mv d${one % 3} swap && mv d${other % 3} d${one % 3}; [ -e d${one % 3} ] && mv swap d${other % 3} || mv swap d${one % 3}`,
    symlink: `ln -sfn ${number} ${a}`,
    touch: `touch -h -d @${number % 1000}.5 ${a}`,
  };
  return `(${commands[what]}) 2>/dev/null || true`;
}

test('when a set is complete, those that archive.keep does not keep are removed; never what one of them needs', async () => {
  const [tree, sets] = [join(work, 'kept'), join(work, 'kept-sets')];
  mkdirSync(tree);
  const kept = async (since: string | null) => (await archived(tree, sets, { since, keep: { last: 1 } })).removed;
  expect([await kept(null), await kept('last'), await kept('last')]).toEqual([[], [], []]);
  expect(await kept(null)).toEqual(['tree-000003', 'tree-000002', 'tree-000001']);
  expect(readdirSync(sets)).toEqual(['.mindi-lock', 'tree-000004']);
});
