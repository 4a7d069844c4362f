import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { DirectReader } from '../../archive/direct.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** This machine has no disk that fails: the mock of read(2) stands in for one, from the given call on. */
const disk = vi.hoisted(() => ({ failsAfter: Number.POSITIVE_INFINITY }));
vi.mock('../../archive/system-calls.ts', async (original) => {
  const real = await original<typeof import('../../archive/system-calls.ts')>();
  const read: typeof real.read = (...words) => {
    disk.failsAfter -= 1;
    return disk.failsAfter < 0 ? -1 : real.read(...words);
  };
  return { ...real, read };
});
afterEach(() => {
  disk.failsAfter = Number.POSITIVE_INFINITY;
});

const folder = temporaryFolder('direct');
const MIB = 1 << 20;

/** Begins with a file of that size, lets `meanwhile` happen, and reads it to its end. */
function readFile(size: number, meanwhile: (path: string) => void) {
  const path = join(folder, 'file');
  writeFileSync(path, Buffer.alloc(size, 'x'));
  const reader = new DirectReader('');
  const name = Buffer.from(path.slice(1));
  const header = reader.begin('file', name, 0, name.length);
  if (!header) return { header };
  meanwhile(path);
  let bytes = 0;
  for (const all = header.headers + size; bytes < all; ) {
    if (reader.length === 0) reader.fill(1);
    bytes += reader.take(all - bytes).length;
  }
  return { header, bytes, failure: reader.ended() };
}

test('a big file is read whole', () => {
  expect(readFile(3 * MIB, () => {}).failure).toBeNull();
});

test('a big file on a disk that fails half way is unreadable, and not changed', () => {
  const { failure } = readFile(3 * MIB, () => {
    disk.failsAfter = 1;
  });
  expect(failure?.trouble).toBe('unreadable');
  expect(failure?.detail).toMatch(/^Read error at byte [1-9]\d*; padding with zeros$/);
});

test('a big file that gets shorter has changed', () => {
  const { failure } = readFile(3 * MIB, (path) => truncateSync(path, MIB));
  expect(failure).toEqual({ trouble: 'changed', detail: `File shrank by ${2 * MIB} bytes; padding with zeros` });
});

test('a small file that cannot be read is left to tar, which tells why', () => {
  disk.failsAfter = 0;
  expect(readFile(1000, () => {}).header).toBeNull();
});
