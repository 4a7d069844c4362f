import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { extract } from '../../archive/extract.ts';
import { archiveRun, type RunResult } from '../../archive/run/run.ts';
import { openSet } from '../../archive/set.ts';
import { lvm } from '../../archive/snapshots/lvm.ts';
import { zfs } from '../../archive/snapshots/zfs.ts';
import { makeTree, SETTINGS, treeDifferences } from '../archive-tree.ts';

const MINDI = resolve('bin/mindi');
let work: string;
/** A mounted btrfs, and a subvolume of it mounted elsewhere. */
let volume: string;
let sub: string;

beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'mindi-snapshots-'));
  chmodSync(work, 0o755);
  volume = join(work, 'volume');
  sub = join(work, 'sub');
  for (const folder of [volume, sub, join(work, 'out'), join(work, 'killed')]) mkdirSync(folder);
  const script = `truncate -s 400M disk; mkfs.btrfs -q disk >/dev/null; mount -o loop disk volume
    btrfs -q subvolume create volume/@sub; mount -o subvol=@sub $(findmnt -no SOURCE volume | sed 's/\\[.*//') sub`;
  execFileSync('bash', ['-ec', script], { cwd: work });
});
afterAll(() => {
  execFileSync('umount', [sub, volume]);
  rmSync(work, { recursive: true });
});

const left = () => [volume, sub].flatMap((path) => readdirSync(path).filter((name) => name.startsWith('.mindi-')));

async function archived(include: string[], place: string, consistency: 'snapshot' | 'auto', meanwhile = () => {}) {
  const notes: string[] = [];
  const teller = {
    step: (name: string) => (name === 'read' ? meanwhile() : undefined),
    progress: () => {},
    note: (text: string) => void notes.push(text),
  };
  const settings = { ...SETTINGS, include, to: { directory: join(work, place) } };
  const how = { hooks: { before: [], after: [], limit: 1 }, consistency, differential: null, keep: null };
  const result: RunResult = await archiveRun(settings, how, { wait: 0, since: null }, teller);
  return { ...result, notes };
}

describe('btrfs', () => {
  test('files are read as they were when the run began, under their own paths; the snapshots are gone then', async () => {
    const [one, two, live] = [join(volume, 'tree'), join(sub, 'tree'), join(work, 'live')];
    makeTree(one);
    for (const path of [two, live, join(work, 'kept')]) execFileSync('cp', ['-a', one, path]);
    execFileSync('chattr', ['+i', join(two, 'caps')]);
    const { read, troubles } = await archived([volume, sub, live], 'sets', 'auto', () => {
      expect(left()).toHaveLength(2);
      for (const path of [one, two]) {
        rmSync(join(path, 'sub'), { recursive: true });
        appendFileSync(join(path, 'plain'), 'more');
      }
    });
    execFileSync('chattr', ['-i', join(two, 'caps')]);
    // The subvolume that is mounted elsewhere.
    expect([left(), troubles]).toEqual([[], { 'other-file-system': 1 }]);
    expect(read.map(({ path, how }) => [path, how])).toEqual(
      [
        ['/', 'live'],
        [sub, 'btrfs'],
        [volume, 'btrfs'],
      ].sort(),
    );
    await using set = await openSet(join(work, 'sets'));
    const to = join(work, 'out');
    expect((await extract(set, { paths: [], to, overwrite: false }, () => {})).failed).toEqual([]);
    expect(execFileSync('lsattr', [join(to, two, 'caps')]).toString()).toMatch(/^-*i/);
    execFileSync('chattr', ['-i', join(to, two, 'caps')]);
    for (const path of [one, two, live]) expect(treeDifferences(join(work, 'kept'), join(to, path))).toBe('');
    const found = set.catalog.prepare("SELECT count(*) AS count FROM members WHERE path LIKE '%/.mindi-%'").get();
    expect(found).toEqual({ count: 0 });
  });

  test('where there can be none: the run is refused, or the files are read as they are', async () => {
    await expect(archived([volume, work], 'refused', 'snapshot')).rejects.toThrow(
      /on no logical volume, and no btrfs or ZFS/,
    );
    const bound = join(work, 'bound');
    mkdirSync(bound);
    execFileSync('mount', ['--bind', join(work, 'live'), bound]);
    await expect(archived([bound], 'refused', 'snapshot')).rejects.toThrow(/shows a part of a file system/);
    execFileSync('umount', [bound]);
    expect(existsSync(join(work, 'refused/tree-000001.incomplete'))).toBe(false);
    expect((await archived([join(work, 'live')], 'as-is', 'auto')).read).toEqual([{ path: '/', how: 'live' }]);
  });

  test.each(['SIGKILL', 'SIGTERM'] as const)(
    'a run that %s ends leaves no snapshot for longer than until the next one',
    async (signal) => {
      const profile = join(work, 'p.yaml');
      execFileSync('bash', ['-c', `mkdir -p ${sub}/slow; head -c 30M /dev/urandom > ${sub}/slow/random`]);
      writeFileSync(
        profile,
        `name: p\narchive: { include: [${sub}/slow], to: { directory: ${work}/killed }, compression: xz, consistency: snapshot, after: [[touch, ${work}/after-${signal}]] }\n`,
      );
      const env = { ...process.env, MINDI_LOG: join(work, 'log') };
      const child = spawn(MINDI, ['archive', profile], { env, stdio: 'ignore' });
      while (
        !readdirSync(`${work}/killed`, { recursive: true }).some((name) => String(name).endsWith('.tar.xz')) &&
        child.exitCode === null
      )
        await wait(20);
      const ended = once(child, 'exit');
      child.kill(signal);
      await ended;
      // Ended by a signal it can hear, it clears away itself.
      const [cleared, afterRan] = [left().length === 0, existsSync(`${work}/after-${signal}`)];
      expect([cleared, afterRan]).toEqual(signal === 'SIGTERM' ? [true, true] : [false, false]);
      rmSync(join(sub, 'slow/random'));
      execFileSync(MINDI, ['archive', profile], { env, stdio: 'pipe' });
      expect(left()).toEqual([]);
      rmSync(`${work}/killed`, { recursive: true });
      mkdirSync(`${work}/killed`);
    },
    120_000,
  );
});

/** Programs that answer as theirs do; what they are asked goes to a file. */
function recorded(program: string, answers: string): () => string[] {
  const folder = mkdtempSync(join(work, 'bin-'));
  const asked = join(folder, 'asked');
  writeFileSync(join(folder, program), `#!/bin/sh\necho "${program} $*" >> ${asked}\n${answers}\n`);
  chmodSync(join(folder, program), 0o755);
  process.env.PATH = `${folder}${delimiter}${process.env.PATH}`;
  return () => execFileSync('cat', [asked]).toString().trim().split('\n');
}

const mount = { number: '0:40', source: 'tank/srv', target: '/srv', format: 'zfs', root: '/', subvolume: undefined };

test('ZFS: no kernel here has it; what its programs print is recorded', async () => {
  const asked = recorded('zfs', `case $1 in list) printf 'tank/srv@daily-1\\ntank/srv@mindi-snapshot-ab-1\\n';; esac`);
  const take = await zfs.look(mount);
  if (typeof take !== 'function') throw new Error('no snapshot');
  const { mount: words, remove, readOnly } = await take('mindi-snapshot-ab-1');
  expect([words, remove, readOnly]).toEqual([
    ['-t', 'zfs', 'tank/srv@mindi-snapshot-ab-1'],
    ['zfs', 'destroy', 'tank/srv@mindi-snapshot-ab-1'],
    true,
  ]);
  expect(await zfs.leftOvers('mindi-snapshot-ab-', [mount])).toEqual([remove]);
  expect(asked()).toEqual(['zfs snapshot tank/srv@mindi-snapshot-ab-1', 'zfs list -H -t snapshot -o name']);
  expect(await zfs.look({ ...mount, format: 'ext4' })).toBeNull();
});

test('LVM: a group without room, a pool that is full, what is no logical volume', async () => {
  const volume = (more: object) => ({
    lv_name: 'root',
    vg_name: 'vg',
    lv_dm_path: '/dev/mapper/vg-root',
    lv_kernel_major: '254',
    lv_kernel_minor: '0',
    lv_size: '10737418240',
    pool_lv: '',
    segtype: 'linear',
    vg_free: '4194304',
    vg_extent_size: '4194304',
    lv_attr: '-wi-ao----',
    data_percent: '',
    ...more,
  });
  const answer = (...lvs: object[]) =>
    recorded('lvs', `cat <<'END'\n${JSON.stringify({ report: [{ lv: lvs }] })}\nEND`);
  const root = { ...mount, number: '254:0', format: 'ext4' };
  answer(volume({}));
  expect(await lvm.look(root)).toBe('the volume group vg has no room for a snapshot: 4 MB are free');
  expect(await lvm.look(mount)).toBeNull();
  answer(
    volume({ segtype: 'thin', pool_lv: 'pool' }),
    volume({ lv_name: 'pool', lv_kernel_minor: '3', data_percent: '97.50' }),
  );
  expect(await lvm.look(root)).toBe('the thin pool vg/pool is 97.5 % full');
  answer(volume({ vg_free: '1073741824' }));
  expect(await lvm.look(root)).toBeTypeOf('function');
});
