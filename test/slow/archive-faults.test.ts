import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { execa } from 'execa';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FrameReader, piecesOf } from '../../archive/frames.ts';
import { membersOf, shownPath } from '../../archive/selection.ts';
import { type ArchiveSet, openSet } from '../../archive/set.ts';
import { verifySums } from '../../archive/sums.ts';
import { verifySet } from '../../archive/verify.ts';
import { LEVELS, type MethodName } from '../../contract/archive-set.ts';
import { archiveTree, makeTree } from '../archive-tree.ts';

const MINDI = resolve('bin/mindi');
let work: string;
let key: string;
let recipient: string;
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'mindi-faults-'));
  key = join(work, 'key');
  execFileSync('age-keygen', ['-o', key], { stdio: 'ignore' });
  recipient = execFileSync('age-keygen', ['-y', key]).toString().trim();
});
afterAll(() => rmSync(work, { recursive: true }));

/** Every member's bytes as they come out of the set, null where they do not. */
async function contents(set: ArchiveSet): Promise<Map<string, string | null>> {
  const reader = new FrameReader(set, { mends: true });
  const found = new Map<string, string | null>();
  for (const member of membersOf(set.catalog, 'ORDER BY id')) {
    const parts: (Buffer | null)[] = [];
    for (const piece of piecesOf(set, member))
      for await (const { bytes } of reader.read(piece)) parts.push(bytes && Buffer.from(bytes));
    const whole = parts.every((part) => part !== null) ? Buffer.concat(parts as Buffer[]).toString('latin1') : null;
    found.set(shownPath(member.path), whole);
  }
  reader.close();
  return found;
}

describe('a flipped byte anywhere', () => {
  interface Case {
    method: MethodName;
    sealed?: boolean;
    parity?: number;
    /** Of its bytes: a program unpacks each frame of some methods. */
    every: number;
  }
  const CASES: [string, Case][] = [
    ['zstd', { method: 'zstd', every: 5 }],
    ['gzip', { method: 'gzip', every: 5 }],
    ['xz', { method: 'xz', every: 149 }],
    ['lzo', { method: 'lzo', every: 149 }],
    ['nothing', { method: 'none', every: 97 }],
    ['age', { method: 'zstd', sealed: true, every: 11 }],
    ['parity', { method: 'zstd', parity: 50, every: 397 }],
    ['age and parity', { method: 'zstd', sealed: true, parity: 50, every: 397 }],
  ];

  test.each(CASES)(
    'of an archive by %s: verify names exactly what does not come back',
    async (name, { method, sealed, parity = null, every }) => {
      const tree = join(work, `tree of ${name}`);
      mkdirSync(tree);
      writeFileSync(join(tree, 'small'), 'small');
      writeFileSync(
        join(tree, 'noise'),
        Buffer.from(Array.from({ length: 400 }, (_, n) => (n * n * 31 + (n >> 3)) & 255)),
      );
      execFileSync('ln', [join(tree, 'small'), join(tree, 'hard')]);
      const sets = join(work, `sets of ${name}`);
      const encryption = sealed ? { age: [recipient], passphraseFile: null } : null;
      const volume = parity === null ? null : [8 << 20];
      await archiveTree(tree, sets, { method, level: LEVELS[method].least, encryption, parity, volume });
      const keys = { identities: [key] };
      await using whole = await openSet(sets, keys);
      const was = await contents(whole);
      const path = whole.archivePath(1, 1);
      const bytes = readFileSync(path);
      for (let at = 0; at < bytes.length; at += every) {
        const spoiled = Buffer.from(bytes);
        spoiled[at] = (spoiled[at] as number) ^ (1 << (at % 8));
        writeFileSync(path, spoiled);
        // What was repaired once is not looked at again.
        const set = parity === null ? whole : await openSet(sets, keys);
        const { problems, damaged, parity: states } = await verifySet(set, () => {});
        expect({ at, problems }).toEqual({ at, problems: [`${path} is damaged`] });
        const is = await contents(set);
        if (parity === null) {
          const lost = [...was].filter(([file, text]) => is.get(file) !== text).map(([file]) => file);
          expect({ at, lost: lost.filter((file) => !file.endsWith('/hard')).sort() }).toEqual({
            at,
            lost: damaged
              .map((one) => one.path)
              .filter((file) => !file.endsWith('/hard'))
              .sort(),
          });
        } else {
          expect({ at, states }).toEqual({ at, states: [{ volume: 'volume-001', state: 'repairable' }] });
          expect(is).toEqual(was);
          await set[Symbol.asyncDispose]();
        }
      }
      writeFileSync(path, bytes);
    },
  );

  test('of any other file of a volume: told, never a crash', async () => {
    const tree = join(work, 'other files');
    mkdirSync(tree);
    writeFileSync(join(tree, 'file'), 'file');
    const sets = join(work, 'sets of other files');
    await archiveTree(tree, sets, { encryption: { age: [recipient], passphraseFile: null } });
    const volume = join(sets, 'tree-000001/volume-001');
    const files = ['README', 'SHA256SUMS', 'mindi/volume.json', 'catalog.sqlite.zst.age'];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...files),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.nat(7),
        async (file, where, bit) => {
          const path = join(volume, file);
          const bytes = readFileSync(path);
          const spoiled = Buffer.from(bytes);
          const at = Math.floor(where * bytes.length);
          spoiled[at] = (spoiled[at] as number) ^ (1 << bit);
          writeFileSync(path, spoiled);
          const told = await verifySums(sets, () => {}).then(
            ({ problems, id }) => problems.length > 0 || id === '',
            (error) => error.name === 'MindiError',
          );
          writeFileSync(path, bytes);
          expect(told).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('a run that is stopped', () => {
  /** Our children, theirs and so on. */
  const descendants = (pid: number): string[] => {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return children
      .trim()
      .split(/\s+/)
      .filter(Boolean)
      .flatMap((child) => [child, ...descendants(Number(child))]);
  };

  async function started(tree: string, place: string, more = '') {
    const profile = join(work, 'stopped.yaml');
    writeFileSync(
      profile,
      `name: tree\narchive: { include: [${tree}], to: { directory: ${place} }, compression: xz, level: 9${more} }\n`,
    );
    const run = spawn(MINDI, ['archive', profile], {
      stdio: 'ignore',
      env: { ...process.env, MINDI_LOG: join(work, 'log') },
    });
    const ended = new Promise<number | null>((done) => run.once('exit', done));
    const folder = join(place, 'tree-000001.incomplete');
    for (
      let tries = 0;
      tries < 200 && !(existsSync(folder) && readdirSync(folder).some((name) => name.includes('.tar')));
      tries += 1
    )
      await wait(50);
    return { run, ended };
  }

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'by %s: marked incomplete, no child left behind, nothing plain of an encrypted one',
    async (signal, code) => {
      const tree = join(work, `stopped by ${signal}`.replaceAll(' ', '-'));
      makeTree(tree);
      const place = join(work, `${signal}-sets`);
      const scratch = join(work, `${signal}-scratch`);
      const { run, ended } = await started(tree, place, `, scratch: ${scratch}, encryption: { age: [${recipient}] }`);
      const children = descendants(run.pid as number);
      expect(children.length).toBeGreaterThan(0);
      expect(statSync(place).isDirectory()).toBe(true);
      for (const folder of readdirSync(scratch)) expect(statSync(join(scratch, folder)).mode & 0o077).toBe(0);
      run.kill(signal);
      expect(await ended).toBe(code);
      for (let tries = 0; tries < 40 && children.some((pid) => existsSync(`/proc/${pid}`)); tries += 1) await wait(50);
      expect(children.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
      expect(readdirSync(place).filter((name) => !name.startsWith('.'))).toEqual(['tree-000001.incomplete']);
      await expect(openSet(place)).rejects.toThrow('never finished');
      const plain = execFileSync('bash', ['-c', `grep -rlaF ${tree.slice(1)} ${place} || true`]).toString();
      expect(plain).toBe('');
    },
  );

  test('by a target that cannot keep what it took: one sentence, exit 1', async () => {
    const tree = join(work, 'failing-tree');
    makeTree(tree);
    const place = join(work, 'failing');
    mkdirSync(place);
    const profile = join(work, 'failing.yaml');
    writeFileSync(profile, `name: tree\narchive: { include: [${tree}], to: { directory: ${place} } }\n`);
    // A disk that can no longer store what it promised: its file has no room to grow.
    const disk = join(work, 'disk');
    mkdirSync(disk);
    execFileSync('bash', [
      '-ec',
      `mount -t tmpfs -o size=3m tmpfs ${disk}; truncate -s 64M ${disk}/disk
       mkfs.ext4 -q -O ^has_journal ${disk}/disk; mount -o loop ${disk}/disk ${place}`,
    ]);
    try {
      const env = { MINDI_LOG: join(work, 'log') };
      const { exitCode, stderr } = await execa(MINDI, ['archive', profile], { reject: false, env });
      expect({ exitCode, stderr }).toEqual({
        exitCode: 1,
        stderr: expect.stringMatching(/: there is no room left for the set: ENOSPC.*fsync|: the disk fails: EIO/),
      });
      expect(stderr).not.toMatch(/\n\s+at |internal error/);
    } finally {
      execFileSync('umount', ['-l', place, disk]);
    }
  });

  test('by a full scratch place: it is named', async () => {
    const tree = join(work, 'full-scratch-tree');
    mkdirSync(tree);
    execFileSync('bash', ['-c', `cd ${tree} && touch ${'n'.repeat(180)}-{1..4000}`]);
    const scratch = join(work, 'full-scratch');
    mkdirSync(scratch);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=400k', 'tmpfs', scratch]);
    try {
      const profile = join(work, 'full-scratch.yaml');
      const place = join(work, 'full-scratch-sets');
      writeFileSync(
        profile,
        `name: tree\narchive: { include: [${tree}], to: { directory: ${place} }, scratch: ${scratch}, encryption: { age: [${recipient}] } }\n`,
      );
      const { exitCode, stderr } = await execa(MINDI, ['archive', profile], {
        reject: false,
        env: { MINDI_LOG: join(work, 'log') },
      });
      expect({ exitCode, stderr }).toMatchObject({
        exitCode: 1,
        stderr: expect.stringMatching(/there is no room left/),
      });
      expect(stderr).toContain(scratch);
    } finally {
      execFileSync('umount', ['-l', scratch]);
    }
  });
});

test('what a set is made of is for its owner alone', async () => {
  const tree = join(work, 'rights');
  mkdirSync(tree);
  writeFileSync(join(tree, 'file'), 'file');
  chmodSync(tree, 0o700);
  const sets = join(work, 'sets of rights');
  const { set } = await archiveTree(tree, sets);
  const before = process.umask(0);
  const { set: second } = await archiveTree(tree, sets).finally(() => process.umask(before));
  for (const folder of [set, second]) {
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const archives = readdirSync(join(folder, 'volume-001')).filter((name) => /\.tar|catalog/.test(name));
    expect(archives.map((name) => statSync(join(folder, 'volume-001', name)).mode & 0o777)).toEqual([0o600, 0o600]);
  }
});
