import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { extract } from '../../archive/extract.ts';
import { parityBytes } from '../../archive/parity/par2.ts';
import { repairSet } from '../../archive/parity/repair.ts';
import { openSet } from '../../archive/set.ts';
import { verifySums } from '../../archive/sums.ts';
import { verifySet } from '../../archive/verify.ts';
import { archiveTree, makeTree, treeDifferences } from '../archive-tree.ts';

const VOLUME = 6 << 20;
let work: string;
let tree: string;
let key: string;
/** Two sets with parity of the same tree, one of them encrypted. */
const sets: Record<string, string> = {};

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'mindi-parity-'));
  tree = join(work, 'tree');
  key = join(work, 'key');
  makeTree(tree);
  execFileSync('age-keygen', ['-o', key], { stdio: 'ignore' });
  const age = [execFileSync('age-keygen', ['-y', key]).toString().trim()];
  for (const [name, encryption] of [
    ['plain', null],
    ['sealed', { age, passphraseFile: null }],
  ] as const) {
    sets[name] = join(work, name);
    const { volumes } = await archiveTree(tree, sets[name], { volume: [VOLUME], parity: 20, encryption });
    expect(volumes).toBe(2);
  }
});
afterAll(() => rmSync(work, { recursive: true }));

const keys = () => ({ identities: [key] });

/** A copy of a set's directory to do harm to. */
function copy(name: string): string {
  const to = mkdtempSync(join(work, `${name}-`));
  cpSync(sets[name] as string, to, { recursive: true });
  return join(to, 'tree-000001');
}

const hashes = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .map(
      (name) =>
        `${name} ${createHash('sha256')
          .update(readFileSync(join(folder, name)))
          .digest('hex')}`,
    )
    .sort();

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] as number) ^ 0x40;
  writeFileSync(path, bytes);
}

const archiveIn = (volume: string) => join(volume, readdirSync(volume).find((name) => /^\d+\.tar/.test(name)) ?? '');

describe.each(['plain', 'sealed'])('%s', (name) => {
  test('damage within its parity: named, repaired elsewhere by extract, in its place by repair', async () => {
    const folder = copy(name);
    const [first, last] = [join(folder, 'volume-001'), join(folder, 'volume-002')];
    flip(archiveIn(first), 5000);
    truncateSync(archiveIn(last), statSync(archiveIn(last)).size - 1000);
    for (const lost of ['README', 'SHA256SUMS', 'mindi/volume.json']) rmSync(join(first, lost));
    flip(join(last, readdirSync(last).find((one) => one.startsWith('catalog')) ?? ''), 300);
    const before = hashes(folder);
    const states = [
      { volume: 'volume-001', state: 'repairable' },
      { volume: 'volume-002', state: 'repairable' },
    ];
    {
      await using set = await openSet(folder, keys());
      const { problems, parity, damaged } = await verifySet(set, () => {});
      expect(parity.toSorted((one, other) => one.volume.localeCompare(other.volume))).toEqual(states);
      expect(problems.join('\n')).toMatch(/volume\.json is damaged[\s\S]*catalog\S+ is damaged/);
      expect(damaged.length).toBeGreaterThan(0);
      const to = join(folder, '../out');
      const { failed, repaired } = await extract(set, { paths: [], to, overwrite: false }, () => {});
      expect({ failed, repaired: repaired.toSorted() }).toEqual({ failed: [], repaired: ['volume-001', 'volume-002'] });
      expect(treeDifferences(tree, join(to, tree))).toBe('');
    }
    expect(hashes(folder)).toEqual(before);
    expect((await verifySums(folder, () => {})).parity).toEqual(states);
    expect(await repairSet(folder, () => {})).toEqual([
      { volume: 'volume-001', state: 'repaired' },
      { volume: 'volume-002', state: 'repaired' },
    ]);
    expect(hashes(folder)).toEqual(hashes(join(sets[name] as string, 'tree-000001')));
  });

  test('damage beyond it: told, and what is whole comes back', async () => {
    const folder = copy(name);
    const archive = archiveIn(join(folder, 'volume-001'));
    writeFileSync(archive, Buffer.alloc(statSync(archive).size, 1));
    for (const one of readdirSync(join(folder, 'volume-001')).filter((file) => /vol.*par2$/.test(file)))
      truncateSync(join(folder, 'volume-001', one), 20_000);
    await using set = await openSet(folder, keys());
    const { parity, problems, damaged } = await verifySet(set, () => {});
    expect(parity).toEqual([{ volume: 'volume-001', state: 'lost' }]);
    expect(problems.join('\n')).toMatch(/is damaged\n.*par2 is missing or not what it was/);
    const to = join(folder, '../out');
    const { failed, repaired } = await extract(set, { paths: [], to, overwrite: false }, () => {});
    expect({ repaired, lost: damaged.length > 0, told: failed.length >= damaged.length }).toEqual({
      repaired: [],
      lost: true,
      told: true,
    });
    expect(await repairSet(folder, () => {})).toEqual([
      { volume: 'volume-001', state: 'lost' },
      { volume: 'volume-002', state: 'whole' },
    ]);
  });
});

test('volumes with parity are as big as they may be', () => {
  for (const name of ['plain', 'sealed']) {
    const folder = join(sets[name] as string, 'tree-000001/volume-001');
    const size = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((file) => statSync(join(folder, file)))
      .reduce((sum, one) => sum + (one.isFile() ? one.size : 0), 0);
    expect(size).toBeLessThanOrEqual(VOLUME);
  }
  for (const bytes of [1, 1e6, 7e8, 25e9]) expect(parityBytes(bytes, 10)).toBeGreaterThanOrEqual(bytes / 10);
});

test('the command says what it did', async () => {
  const mindi = (...args: string[]) =>
    execa(resolve('bin/mindi'), args, { reject: false, env: { MINDI_LOG: join(work, 'log') } });
  const folder = copy('plain');
  rmSync(archiveIn(join(folder, 'volume-001')));
  expect(await mindi('verify', folder)).toMatchObject({
    exitCode: 1,
    stdout: expect.stringMatching(/volume-001: its parity repairs it: mindi repair \/\S+tree-000001/),
  });
  expect(await mindi('repair', folder)).toMatchObject({
    exitCode: 0,
    stdout: 'volume-001: repaired\nvolume-002: whole',
  });
  expect(existsSync(archiveIn(join(folder, 'volume-001')))).toBe(true);
  mkdirSync(join(work, 'none'));
  expect((await mindi('repair', join(work, 'none'))).exitCode).toBe(2);
});
