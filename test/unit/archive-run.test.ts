import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LOCK_FILE, lockFile } from '../../archive/run/lock.ts';
import { archiveRun } from '../../archive/run/run.ts';
import type { RunSettings } from '../../archive/run/settings.ts';
import { SETTINGS } from '../archive-tree.ts';

let work: string;
let tree: string;
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'mindi-run-'));
  tree = join(work, 'tree');
  mkdirSync(tree);
  writeFileSync(join(tree, 'file'), 'file');
});
afterAll(() => rmSync(work, { recursive: true }));

const QUIET = { step: () => {}, progress: () => {}, note: () => {} };
const RUN: RunSettings = {
  hooks: { before: [], after: [], limit: 1 },
  consistency: 'live',
  differential: null,
  keep: null,
};

function run(directory: string, hooks: Partial<RunSettings['hooks']> = {}) {
  const settings = { ...SETTINGS, include: [tree], to: { directory } };
  return archiveRun(settings, { ...RUN, hooks: { ...RUN.hooks, ...hooks } }, { wait: 0, since: null }, QUIET);
}

describe('two runs never meet', () => {
  test('the second is told who holds the place since when; a crashed one holds nothing, and is told', async () => {
    const place = join(work, 'locked');
    mkdirSync(place);
    const first = await lockFile(join(place, LOCK_FILE), place, 'tree', 0);
    expect(first.left).toBeNull();
    const words = /another run writes there: tree on \S+, process \d+, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/;
    await expect(run(place)).rejects.toThrow(words);
    expect(readdirSync(place)).toEqual([LOCK_FILE]);
    await first[Symbol.asyncDispose]();
    expect(readFileSync(join(place, LOCK_FILE), 'utf8')).toBe('');
    const crashed = { machine: 'web1', process: 12, name: 'tree', since: '2026-01-02T03:04:05.000Z' };
    writeFileSync(join(place, LOCK_FILE), JSON.stringify(crashed));
    await using second = await lockFile(join(place, LOCK_FILE), place, 'tree', 0);
    expect(second.left).toBe('tree on web1, process 12, since 2026-01-02 03:04:05 UTC');
  });

  test('who waits gets it', async () => {
    const path = join(work, 'waited');
    const first = await lockFile(path, work, 'one', 0);
    const second = lockFile(path, work, 'two', 60);
    await first[Symbol.asyncDispose]();
    await using held = await second;
    expect(held.left).toBeNull();
  });

  test('a place that cannot be locked', async () => {
    await expect(lockFile(join(work, 'nowhere/lock'), work, 'x', 0)).rejects.toThrow('cannot be locked');
  });
});

describe('hooks', () => {
  const script = (name: string, text: string) => {
    const path = join(work, name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
    return path;
  };

  test('what they are told: before, and after with the set and how it went', async () => {
    const told = join(work, 'told');
    const tell = script(
      'tell',
      `echo "$MINDI_HOOK $MINDI_ARCHIVE $MINDI_DIRECTORY $MINDI_RESULT $MINDI_SET $*" >> ${told}`,
    );
    const place = join(work, 'hooked');
    const { set, problems } = await run(place, { before: [[tell]], after: [[tell, 'two words']] });
    expect(problems).toEqual([]);
    expect(readFileSync(told, 'utf8')).toBe(`before tree ${place}   \nafter tree ${place} success ${set} two words\n`);
  });

  test('a before that fails: nothing is written, and all that is after runs', async () => {
    const place = join(work, 'unwritten');
    const told = join(work, 'told-failure');
    const after = [['/nonexistent'], ['sh', '-c', 'echo $MINDI_RESULT > $0', told]];
    await expect(run(place, { before: [['false'], ['touch', place]], after })).rejects.toThrow(
      /false failed \(exit 1\)/,
    );
    expect([existsSync(place), readFileSync(told, 'utf8')]).toEqual([false, 'failure\n']);
  });

  test('one that hangs is ended with what it started', async () => {
    const hang = script('hang', 'sleep 1000 & wait');
    const slow = run(join(work, 'hung'), { before: [[hang]], limit: 0.005 });
    await expect(slow).rejects.toThrow(/hang took too long and was ended/);
  });

  test('an after that fails is told; the set is whole', async () => {
    const { set, problems } = await run(join(work, 'after'), { after: [['sh', '-c', 'exit 3'], [tree]] });
    expect(problems).toEqual([
      'archive.after: sh failed (exit 3)',
      `archive.after: ${tree} cannot be run: is it executable?`,
    ]);
    expect(existsSync(set)).toBe(true);
  });
});
