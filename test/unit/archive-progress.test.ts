import { expect, test } from 'vitest';
import { bytesInUse, Progress } from '../../archive/progress.ts';

test('how far a run has come, and about how long it goes on once the rate is known', () => {
  const progress = new Progress(1e9, 1000);
  progress.add(100, 2e6);
  expect(progress.words(1, 2000)).toBe('100 files, 2.0 MB, 2.0 MB/s, volume 1');
  progress.add(900, 98e6);
  expect(progress.words(2, 11_000)).toBe('1000 files, 100 MB, 10 MB/s, about 2 min left, volume 2');
  expect(progress.words(2, 101_000)).toBe('1000 files, 100 MB, 1.0 MB/s, about 15 min left, volume 2');
  expect(new Progress(null, 0).words(0, 9000)).toBe('0 files, 0.0 MB, 0.0 MB/s');
});

test('a whole file system has an estimate, a directory of one has none', () => {
  expect(bytesInUse(['/'])).toBeGreaterThan(1e6);
  expect(bytesInUse([import.meta.dirname])).toBeNull();
});
