import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fs from 'fs-extra';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keymapPiece } from '../../builder/keymap.ts';

let top: string;

beforeAll(async () => {
  top = await fs.mkdtemp(join(tmpdir(), 'mindi-keymap-'));
  process.env.MINDI_CACHE = join(top, 'cache');
});

afterAll(() => fs.remove(top));

test('keymaps are taken in the form busybox loads; what this machine does not know is told', async () => {
  const { piece, missing } = await keymapPiece(['de-latin1', 'no-such-keymap', 'us']);
  expect(missing).toEqual(['no-such-keymap']);
  expect(piece.entries.map(({ path }) => path)).toEqual([
    '/usr/share/mindi/keymaps/de-latin1.bmap',
    '/usr/share/mindi/keymaps/us.bmap',
  ]);
  const [german, american] = [...piece.contents.values()].map((content) =>
    content.from === 'bytes' ? Buffer.from(content.bytes).toString('latin1') : '',
  );
  expect(german).toMatch(/^bkeymap/);
  expect(american).toMatch(/^bkeymap/);
  expect(german).not.toBe(american);
});

test('loadkeys runs again only when something has changed', async () => {
  const calls = join(top, 'calls');
  const loadkeys = join(top, 'loadkeys');
  await fs.writeFile(loadkeys, `#!/bin/sh\necho "$4" >>${calls}\necho bkeymap\n`, { mode: 0o755 });
  process.env.PATH = `${top}:${process.env.PATH}`;
  const called = async () => (await fs.readFile(calls, 'utf8')).split('\n').filter(Boolean).sort();

  const { piece } = await keymapPiece(['de', 'us']);
  expect(piece.entries).toHaveLength(2);
  expect(await keymapPiece(['de', 'us'])).toEqual({ piece, missing: [] });
  expect(await called()).toEqual(['de', 'us']);

  await fs.utimes(loadkeys, 1, 1);
  await keymapPiece(['de', 'us']);
  expect(await called()).toEqual(['de', 'de', 'us', 'us']);
});
