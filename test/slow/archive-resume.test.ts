import { spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { extract } from '../../archive/extract.ts';
import { compareLive } from '../../archive/live.ts';
import { openSet } from '../../archive/set.ts';
import { verifySet } from '../../archive/verify.ts';
import { makeTree, treeDifferences } from '../archive-tree.ts';

const MINDI = resolve('bin/mindi');
let work: string;
let tree: string;

beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'mindi-resume-'));
  tree = join(work, 'tree');
  makeTree(tree);
  // Enough for some archives of small files, some of slices, and several volumes.
  for (let n = 0; n < 20; n += 1) {
    mkdirSync(join(tree, `many-${n}`));
    for (let i = 0; i < 200; i += 1) writeFileSync(join(tree, `many-${n}`, `${i}`), `${n} ${i}\n`.repeat(i % 100));
  }
  writeFileSync(join(tree, 'big'), Buffer.alloc(24 << 20, 'a file that is cut into slices, '));
});
afterAll(() => rmSync(work, { recursive: true }));

function profileFor(place: string, more = ''): string {
  const profile = join(work, 'profile.yaml');
  const to = `include: [${tree}], to: { directory: ${place} }, volume: 16MiB, compression: none`;
  writeFileSync(profile, `name: tree\narchive: { ${to}${more} }\n`);
  return profile;
}

const env = { MINDI_LOG: '/dev/null' };
const mindi = (args: string[]) => execa(MINDI, args, { reject: false, env });

/** Killed so long after its set was begun. */
async function killedAfter(milliseconds: number, profile: string, place: string): Promise<void> {
  const run = spawn(MINDI, ['archive', profile, '--resume'], { stdio: 'ignore', env: { ...process.env, ...env } });
  const ended = new Promise((done) => run.once('exit', done));
  while (!existsSync(join(place, 'tree-000001.incomplete')) && run.exitCode === null) await wait(5);
  await wait(milliseconds);
  run.kill('SIGKILL');
  await ended;
}

/** The set is whole, and what comes back is the tree as it is now. */
async function expectWhole(place: string, set: string): Promise<void> {
  expect(readdirSync(place).filter((name) => name.startsWith('tree-'))).toEqual([set]);
  await using opened = await openSet(join(place, set));
  expect(await verifySet(opened, () => {})).toMatchObject({ problems: [], damaged: [] });
  expect(await compareLive(opened)).toEqual([]);
  const to = mkdtempSync(join(work, 'out-'));
  expect((await extract(opened, { paths: [], to, overwrite: false }, () => {})).failed).toEqual([]);
  expect(treeDifferences(tree, join(to, tree))).toBe('');
  rmSync(to, { recursive: true });
}

test('killed at many moments and gone on with each time: the set is the tree, as if nothing had been', async () => {
  const place = join(work, 'killed');
  const profile = profileFor(place);
  let unfinished = 0;
  for (const milliseconds of [500, 30, 300, 150, 800]) {
    await killedAfter(milliseconds, profile, place);
    unfinished += readdirSync(place).filter((name) => name.endsWith('.incomplete')).length;
    if (readdirSync(place).includes('tree-000001')) break;
  }
  expect(unfinished).toBeGreaterThan(0);
  const last = await mindi(['archive', profile, '--resume', '--json']);
  expect(last.exitCode).toBe(0);
  if (readdirSync(place).length > 2) rmSync(join(place, 'tree-000002'), { recursive: true });
  await expectWhole(place, 'tree-000001');
});

/** A set all of which is there but its end: what a power cut in the last second leaves. */
async function cutShort(place: string): Promise<string> {
  const profile = profileFor(place);
  expect((await mindi(['archive', profile])).exitCode).toBe(0);
  const folder = join(place, 'tree-000001');
  const [packed] = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /catalog/.test(name));
  await execa('zstd', ['-dq', join(folder, packed as string), '-o', join(folder, 'catalog.sqlite')]);
  rmSync(join(folder, packed as string));
  renameSync(folder, `${folder}.incomplete`);
  return `${folder}.incomplete`;
}

test('what changed meanwhile is as it is now; archives that are damaged, cut off or unknown are made anew', async () => {
  const place = join(work, 'changed');
  const folder = await cutShort(place);
  const archives = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tar/.test(name));
  expect(archives.length).toBeGreaterThan(6);
  truncateSync(join(folder, archives[1] as string), 1000);
  rmSync(join(folder, archives[2] as string));
  writeFileSync(join(folder, archives[3] as string), Buffer.alloc(1 << 20));
  writeFileSync(join(folder, '000099.tar'), 'half written');
  appendFileSync(join(tree, 'many-1/7'), 'more');
  chmodSync(join(tree, 'many-2/8'), 0o600);
  rmSync(join(tree, 'many-3'), { recursive: true });
  writeFileSync(join(tree, 'new'), 'new');
  const { stderr, exitCode, stdout } = await mindi(['archive', profileFor(place), '--resume', '--json']);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.stringMatching(/going on with .*tree-000001/) });
  expect(JSON.parse(stdout).volumes).toBeGreaterThan(1);
  await expectWhole(place, 'tree-000001');
});

test('other settings are refused; a damaged catalog means a new set; without --resume a note tells', async () => {
  const place = join(work, 'refused');
  const folder = await cutShort(place);
  const other = await mindi(['archive', profileFor(place, ', exclude: [/nothing]'), '--resume']);
  expect(other.exitCode).toBe(2);
  expect(other.stderr).toMatch(/begun with other settings: exclude/);
  expect(readdirSync(place)).toContain('tree-000001.incomplete');
  expect((await mindi(['archive', profileFor(place)])).stderr).toMatch(/tree-000001.incomplete was never finished/);
  rmSync(join(place, 'tree-000002'), { recursive: true });
  writeFileSync(join(folder, 'catalog.sqlite'), 'nothing of the kind');
  const damaged = await mindi(['archive', profileFor(place), '--resume']);
  expect(damaged).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/cannot be gone on with: /) });
  rmSync(folder, { recursive: true });
  await expectWhole(place, 'tree-000002');
});
