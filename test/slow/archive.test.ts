import { spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { execa } from 'execa';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { extract } from '../../archive/extract.ts';
import { compareLive } from '../../archive/live.ts';
import { readMembers } from '../../archive/members.ts';
import { shownPath } from '../../archive/selection.ts';
import { openSet } from '../../archive/set.ts';
import { verifySet } from '../../archive/verify.ts';
import { LEVELS, type MethodName } from '../../contract/archive-set.ts';
import { archiveTree, makeTree, treeDifferences } from '../archive-tree.ts';

const MINDI = resolve('bin/mindi');
let work: string;
let tree: string;
/** A directory with one set of the tree, on several volumes. */
let sets: string;

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'mindi-archive-'));
  chmodSync(work, 0o755);
  tree = join(work, 'tree');
  sets = join(work, 'sets');
  makeTree(tree);
  expect((await archiveTree(tree, sets, { volume: [4 << 20] })).volumes).toBe(2);
});
afterAll(() => rmSync(work, { recursive: true }));

/** A copy of the set to do harm to. */
function copyOfSet(name: string): string {
  const copy = join(work, name);
  cpSync(sets, copy, { recursive: true });
  return copy;
}

const archivesOf = (place: string) =>
  readdirSync(place, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.tar.zst'))
    .map((path) => join(place, path))
    .sort();

async function mindi(args: string[], options: { uid?: number; cwd?: string } = {}) {
  const env = { MINDI_LOG: join(work, 'log'), MINDI_CACHE: join(work, 'cache'), NODE_COMPILE_CACHE: '' };
  return execa(MINDI, args, { reject: false, env, ...options });
}

async function mindiArchive(include: string, directory: string, options = {}, more = '') {
  const profile = join(work, 'p.yaml');
  writeFileSync(profile, `name: tree\narchive: { include: [${include}], to: { directory: ${directory} }${more} }\n`);
  return mindi(['archive', profile, '--json'], options);
}

describe('damage', () => {
  test('flipped bytes anywhere: verify names exactly what does not come back, all else does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        async (which, where) => {
          const place = copyOfSet(mkdtempSync(join(work, 'flipped-')).slice(work.length + 1));
          const archives = archivesOf(place);
          const path = archives[which % archives.length] as string;
          const bytes = readFileSync(path);
          const at = Math.floor(where * bytes.length);
          bytes[at] = (bytes[at] as number) ^ 0x10;
          writeFileSync(path, bytes);
          await using set = await openSet(place);
          const { problems, damaged } = await verifySet(set, () => {});
          expect(problems).toEqual([`${path} is damaged`]);
          const to = join(place, 'out');
          const { failed } = await extract(set, { paths: [], to, overwrite: false }, () => {});
          const named = failed
            .filter((text) => text.includes(' is damaged'))
            .map((text) => text.split(' is damaged')[0]);
          expect(named.sort()).toEqual(damaged.map((one) => one.path).sort());
          const differing = treeDifferences(tree, join(to, tree));
          if (damaged.length === 0) expect(differing).toBe('');
          rmSync(to, { recursive: true });
          rmSync(place, { recursive: true });
        },
      ),
      { numRuns: 8 },
    );
  });

  test('a byte of the catalog, of a README', async () => {
    const place = copyOfSet('catalog');
    const [readme] = readdirSync(place, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('README'),
    );
    appendFileSync(join(place, readme as string), ' ');
    const changed = await mindi(['verify', place]);
    expect(changed).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(/README is missing or not what it was/),
    });
    appendFileSync(join(place, 'tree-000001/volume-002/catalog.sqlite.zst'), 'x');
    const broken = await mindi(['verify', place]);
    expect(broken).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/the catalog is damaged[\s\S]*by hand/),
    });
  });

  test('an archive cut short, one missing', async () => {
    const place = copyOfSet('cut');
    const [first, second] = archivesOf(place) as [string, string];
    truncateSync(first, 100);
    rmSync(second);
    await using set = await openSet(place);
    const { problems, damaged } = await verifySet(set, () => {});
    expect(problems.join('\n')).toMatch(
      /has 100 bytes, and must have \d+\narchive 2 is missing: it belongs on volume 1/,
    );
    const lost = set.catalog.prepare('SELECT path FROM members WHERE archive <= 2 AND slices = 1').all();
    const paths = lost.map(({ path }) => shownPath(path as Uint8Array));
    expect(damaged.map(({ path }) => path)).toEqual(expect.arrayContaining(paths));
  });

  test('a volume missing, and one of another set in its place', async () => {
    const place = copyOfSet('volume');
    const folder = join(place, 'tree-000001');
    rmSync(join(folder, 'volume-001'), { recursive: true });
    const missing = await mindi(['verify', place, '--json']);
    expect(missing.exitCode).toBe(1);
    expect(JSON.parse(missing.stdout).problems[0]).toMatch(/^volume 1 of 2 of .* is missing$/);
    await archiveTree(tree, join(work, 'other'), { volume: [4 << 20] });
    renameSync(join(work, 'other/tree-000001/volume-001'), join(folder, 'volume-001'));
    const swapped = await mindi(['verify', place, '--json']);
    expect(JSON.parse(swapped.stdout).problems.join('\n')).toMatch(/volume-001 is a volume of another set: number 1/);
    const extracted = await mindi(['extract', place, '--to', join(work, 'swapped'), '--json']);
    expect(extracted.exitCode).toBe(1);
    await using set = await openSet(place);
    const there = set.catalog
      .prepare(
        "SELECT path FROM members JOIN archives ON archive = number WHERE volume = 2 AND slices = 1 AND type = 'file'",
      )
      .all();
    // Which archives come first is not the same in each run.
    for (const { path } of there)
      expect(existsSync(Buffer.concat([Buffer.from(`${work}/swapped/`), path as Uint8Array]))).toBe(true);
    expect(JSON.parse(extracted.stdout).failed.length).toBeGreaterThan(0);
    rmSync(join(folder, 'volume-002'), { recursive: true });
    expect(await mindi(['verify', folder])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/volume with the catalog, the last one, is missing; there are the volumes 1$/m),
    });
  });
});

describe('a run that does not end well', () => {
  test('killed at any moment: the older set is whole, the new one is marked', async () => {
    const place = copyOfSet('killed');
    for (const milliseconds of [150, 400, 600, 800, 1000]) {
      const profile = join(work, 'killed.yaml');
      writeFileSync(
        profile,
        `name: tree\narchive: { include: [${tree}], to: { directory: ${place} }, compression: xz, level: 9 }\n`,
      );
      const run = spawn(MINDI, ['archive', profile], {
        stdio: 'ignore',
        env: { ...process.env, MINDI_LOG: join(work, 'log') },
      });
      const ended = new Promise((done) => run.once('exit', done));
      await wait(milliseconds);
      run.kill('SIGKILL');
      await ended;
      for (const name of readdirSync(place).filter((one) => one.endsWith('.incomplete')))
        await expect(openSet(join(place, name))).rejects.toThrow('never finished');
    }
    const complete = readdirSync(place).filter((name) => !name.startsWith('.') && !name.endsWith('.incomplete'));
    expect(complete).toContain('tree-000001');
    for (const name of complete) {
      await using set = await openSet(join(place, name));
      expect(await verifySet(set, () => {})).toMatchObject({ problems: [], damaged: [] });
    }
  });

  test('the target is full: one sentence, exit 1, older sets whole', async () => {
    const small = join(work, 'full');
    mkdirSync(small);
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=5m', 'tmpfs', small]);
    try {
      const little = join(work, 'little');
      mkdirSync(little);
      writeFileSync(join(little, 'file'), 'little');
      expect((await mindiArchive(little, small)).exitCode).toBe(0);
      const full = await mindiArchive(tree, small);
      expect(full).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/there is no room left for the set/) });
      expect(full.stderr).not.toMatch(/\n\s+at /);
      const left = readdirSync(small).filter((name) => !name.startsWith('.'));
      expect(left).toEqual(['tree-000001', 'tree-000002.incomplete']);
      expect((await mindi(['verify', small])).exitCode).toBe(0);
      rmSync(join(small, 'tree-000002.incomplete'), { recursive: true });
      const target = await mindi(['extract', sets, '--to', join(small, 'out')]);
      expect(target).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/there is no room left/) });
    } finally {
      await execa('umount', [small]);
    }
  });

  test('a file that grows and one that goes while they are read are told', async () => {
    const restless = join(work, 'restless');
    mkdirSync(restless);
    const growing = join(restless, 'growing');
    writeFileSync(growing, Buffer.alloc(30 << 20, 'grows '));
    const writer = spawn('bash', ['-c', `while :; do echo more >> ${growing}; done`]);
    try {
      const result = await archiveTree(restless, join(work, 'restless-sets'));
      expect(result.troubles).toEqual({ changed: 1 });
      const list = await mindi(['list', join(work, 'restless-sets'), '--troubles']);
      expect(list.stdout).toMatch(/^changed: .*restless\/growing \(file changed as we read it\)$/);
    } finally {
      writer.kill();
    }
    const gone = Buffer.from(`${restless.slice(1)}/gone\0`);
    const detail = expect.stringContaining('No such file');
    const path = `${restless.slice(1)}/gone`;
    expect(await readMembers(gone, { member: () => {} })).toEqual([{ path, trouble: 'vanished', detail }]);
  });
});

describe('what cannot be read', () => {
  test('as a user who may not: told by name, exit 1, all else is archived', async () => {
    const home = join(work, 'home');
    mkdirSync(join(home, 'closed'), { recursive: true });
    writeFileSync(join(home, 'closed/inside'), 'inside');
    writeFileSync(join(home, 'secret'), 'secret');
    writeFileSync(join(home, 'open'), 'open');
    chmodSync(join(home, 'closed'), 0);
    chmodSync(join(home, 'secret'), 0);
    const target = join(work, 'nobody');
    mkdirSync(target);
    chmodSync(target, 0o777);
    rmSync(join(work, 'log'), { force: true });
    rmSync(join(work, 'cache'), { recursive: true, force: true });
    chmodSync(work, 0o777);
    const { exitCode, stdout } = await mindiArchive(home, target, { uid: 65534 });
    expect({ exitCode, troubles: JSON.parse(stdout).troubles }).toEqual({ exitCode: 1, troubles: { unreadable: 2 } });
    const troubles = await mindi(['list', target, '--troubles', '--json']);
    expect(
      JSON.parse(troubles.stdout)
        .map(({ path }: { path: string }) => path.split('/').pop())
        .sort(),
    ).toEqual(['closed', 'secret']);
    expect((await mindi(['list', target, '--find', 'open'])).stdout).toMatch(/home\/open$/);
  });

  test('a path longer than 4 KiB is told, the others come back', async () => {
    const deep = join(work, 'deep');
    mkdirSync(deep);
    await execa(
      'bash',
      ['-c', 'n=$(printf "d%.0s" {1..200}); for i in {1..25}; do mkdir $n; cd $n; done; echo deep > file'],
      { cwd: deep },
    );
    const result = await archiveTree(deep, join(work, 'deep-sets'));
    expect(result.troubles['too-long']).toBeGreaterThan(0);
    expect(result.files).toBeGreaterThan(15);
    await using set = await openSet(join(work, 'deep-sets'));
    expect((await extract(set, { paths: [], to: join(work, 'deep-out'), overwrite: false }, () => {})).failed).toEqual(
      [],
    );
    for (const place of [deep, join(work, 'deep-out')]) await execa('rm', ['-rf', place]);
  });
});

describe('extracting', () => {
  test('never through a symbolic link that is there, never over a file unless asked', async () => {
    const to = join(work, 'trap');
    const outside = join(work, 'outside');
    mkdirSync(join(to, tree), { recursive: true });
    mkdirSync(outside);
    symlinkSync(outside, join(to, tree, 'sub'));
    writeFileSync(join(to, tree, 'numbers'), 'mine');
    const { stderr, exitCode } = await mindi(['extract', sets, '--to', to]);
    expect({ exitCode, outside: readdirSync(outside) }).toEqual({ exitCode: 1, outside: [] });
    expect(stderr).toMatch(/sub\/deep\/file leads out of the target/);
    expect(stderr).toMatch(/numbers is there already: left as it is/);
    expect(readFileSync(join(to, tree, 'numbers'), 'utf8')).toBe('mine');
    rmSync(join(to, tree, 'sub'));
    await mindi(['extract', sets, '--to', to, '--overwrite']);
    expect(treeDifferences(tree, join(to, tree))).toBe('');
  });

  test('one file needs its own archive and the catalog, nothing else', async () => {
    const place = copyOfSet('lone');
    await using set = await openSet(place);
    const path = `${tree.slice(1)}/sub/deep/file`;
    const row = set.catalog.prepare('SELECT archive, start FROM members WHERE path = ?').get(Buffer.from(path));
    const frame = set.catalog
      .prepare('SELECT offset, size FROM frames WHERE archive = ? AND start <= ? ORDER BY start DESC')
      .get(row?.archive as number, row?.start as number) as { offset: number; size: number };
    for (const archive of archivesOf(place)) {
      if (!archive.includes(`/${String(row?.archive).padStart(6, '0')}.`)) rmSync(archive);
      else {
        const bytes = readFileSync(archive);
        const needed = Buffer.from(bytes.subarray(frame.offset, frame.offset + frame.size));
        bytes.fill(0xff);
        needed.copy(bytes, frame.offset);
        writeFileSync(archive, bytes);
      }
    }
    const to = join(work, 'lone-out');
    const { failed } = await extract(set, { paths: [path], to, overwrite: false }, () => {});
    // Directories above it lie in other frames: told, and made without what they had.
    expect(failed.filter((text) => text.includes('file'))).toEqual([]);
    expect(readFileSync(join(to, path), 'utf8')).toBe('x\n');
  });

  test('immutable files are so again', async () => {
    const fixed = join(work, 'fixed');
    mkdirSync(fixed);
    writeFileSync(join(fixed, 'fast'), 'fast');
    const to = join(work, 'fixed-out');
    const flagged = [join(fixed, 'fast'), join(to, fixed, 'fast')];
    await execa('chattr', ['+i', flagged[0] as string]);
    try {
      await archiveTree(fixed, join(work, 'fixed-sets'));
      await using set = await openSet(join(work, 'fixed-sets'));
      await extract(set, { paths: [], to, overwrite: false }, () => {});
      expect((await execa('lsattr', [flagged[1] as string])).stdout).toMatch(/^-*i/);
    } finally {
      await execa('chattr', ['-i', ...flagged.filter(existsSync)]);
    }
  });

  test('what changed on the machine since: verify --live', async () => {
    const living = join(work, 'living');
    mkdirSync(living);
    for (const name of ['grown', 'closed', 'gone', 'same']) writeFileSync(join(living, name), name);
    await archiveTree(living, join(work, 'living-sets'));
    await using set = await openSet(join(work, 'living-sets'));
    expect(await compareLive(set)).toEqual([]);
    appendFileSync(join(living, 'grown'), 'more');
    chmodSync(join(living, 'closed'), 0o600);
    rmSync(join(living, 'gone'));
    const found = Object.fromEntries((await compareLive(set)).map(({ path, what }) => [path.split('/').pop(), what]));
    expect(found).toEqual({ grown: 'changed: time, contents', closed: 'changed: mode', gone: 'missing' });
  });
});

test('the clock goes back: the newest set is still that made last', async () => {
  const place = join(work, 'clock');
  const little = join(work, 'clock-tree');
  mkdirSync(little);
  writeFileSync(join(little, 'file'), 'one');
  expect((await mindiArchive(little, place)).exitCode).toBe(0);
  writeFileSync(join(little, 'file'), 'two');
  const env = { MINDI_LOG: join(work, 'log') };
  await execa('faketime', ['2001-01-01', MINDI, 'archive', join(work, 'p.yaml')], { env });
  await using set = await openSet(place);
  expect([set.folder, set.created.slice(0, 4)]).toEqual([join(place, 'tree-000002'), '2001']);
});

test('a file of 2^40 bytes, nearly all holes', async () => {
  const sparse = join(work, 'sparse');
  mkdirSync(sparse);
  await execa('truncate', ['-s', '1T', join(sparse, 'holes')]);
  const file = openSync(join(sparse, 'holes'), 'r+');
  writeSync(file, 'here', 2 ** 39);
  closeSync(file);
  await archiveTree(sparse, join(work, 'sparse-set'));
  await using set = await openSet(join(work, 'sparse-set'));
  const to = join(work, 'sparse-restored');
  await extract(set, { paths: [], to, overwrite: false }, () => {});
  const restored = openSync(join(to, sparse, 'holes'), 'r');
  const there = Buffer.alloc(6);
  readSync(restored, there, 0, 6, 2 ** 39 - 1);
  const { size, blocks } = fstatSync(restored);
  closeSync(restored);
  expect({ size, there: there.toString() }).toEqual({ size: 2 ** 40, there: '\0here\0' });
  expect(blocks).toBeLessThan(100);
});

/** A directory's entries: names of any bytes but `/` and NUL, with contents or a directory each. */
interface Branch {
  [name: string]: string | Branch;
}
const names = fc
  .string({
    unit: fc
      .integer({ min: 1, max: 255 })
      .filter((byte) => byte !== 0x2f)
      .map((byte) => String.fromCharCode(byte)),
    minLength: 1,
    maxLength: 40,
  })
  .filter((name) => name !== '.' && name !== '..');
const { branch } = fc.letrec<{ branch: Branch; leaf: string }>((tie) => ({
  leaf: fc.string({ maxLength: 3000 }),
  branch: fc.dictionary(names, fc.oneof({ maxDepth: 3 }, tie('leaf'), tie('branch')), {
    maxKeys: 8,
  }),
}));

test('random trees come back as they were: by any method, encrypted or not, on any volumes', async () => {
  const secret = await generateX25519Identity();
  const identity = join(work, 'identity');
  writeFileSync(identity, secret);
  const encryption = { age: [await identityToRecipient(secret)], passphraseFile: null };
  const methods = fc.constantFrom(...(Object.keys(LEVELS) as MethodName[]));
  const volumes = fc.constantFrom(null, [4 << 20], [100_000]);
  const options = fc.record({ method: methods, encryption: fc.constantFrom(null, encryption), volume: volumes });
  await fc.assert(
    fc.asyncProperty(branch, options, async (root, how) => {
      const random = mkdtempSync(join(work, 'random-'));
      const from = join(random, 'tree');
      grow(Buffer.from(from), root);
      await archiveTree(from, join(random, 'sets'), { ...how, level: LEVELS[how.method].least });
      await using set = await openSet(join(random, 'sets'), { identities: [identity] });
      const to = join(random, 'out');
      const { failed } = await extract(set, { paths: [], to, overwrite: false }, () => {});
      expect(failed).toEqual([]);
      expect(treeDifferences(from, join(to, from))).toBe('');
      rmSync(random, { recursive: true });
    }),
    { numRuns: 12 },
  );
});

function grow(path: Buffer, entry: string | Branch): void {
  if (typeof entry === 'string') writeFileSync(path, entry);
  else mkdirSync(path);
  for (const [name, inside] of Object.entries(typeof entry === 'string' ? {} : entry))
    grow(Buffer.concat([path, Buffer.from(`/${name}`, 'latin1')]), inside);
}

test.each(['gzip', 'xz', 'lzo', 'none'] as const)('compressed by %s', async (method) => {
  await archiveTree(tree, join(work, method), { method, level: method === 'none' ? 0 : 1 });
  await using set = await openSet(join(work, method));
  expect(await verifySet(set, () => {})).toMatchObject({ problems: [], damaged: [] });
  const to = join(work, `${method}-restored`);
  await extract(set, { paths: [], to, overwrite: false }, () => {});
  expect(treeDifferences(tree, join(to, tree))).toBe('');
});
