import { expect, test } from 'vitest';
import { keymapPiece } from '../../builder/keymap.ts';

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
