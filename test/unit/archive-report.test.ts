import { expect, test } from 'vitest';
import { archiveReport } from '../../cli/archive-report.ts';
import { duration } from '../../cli/output.ts';

const RESULT = {
  ...{ set: '/bkp/web-000002', id: 'id', files: 12, bytes: 100 << 20, stored: 40 << 20, archives: 1, volumes: 2 },
  ...{ troubles: {}, read: [], removed: [], problems: [] },
};
const lines = (text: string) => text.split('\n').map((line) => line.replaceAll(/ {2,}/g, ': '));

test('what came of a run, for people', () => {
  expect(lines(archiveReport(RESULT, { seconds: 125, verified: true }))).toEqual([
    'set: /bkp/web-000002',
    'files: 12, 100.0 MiB',
    'stored: 40.0 MiB, 40 %: 1 archive on 2 volumes',
    'took: 2 min 5 s, 819.2 KiB/s',
    'verified: each volume was read back and is as it was written',
  ]);
  const more = {
    read: [{ path: '/', how: 'lvm' as const }],
    removed: ['web-000001'],
    base: 'web-000001',
    kept: 9,
    deleted: 1,
  };
  const worse = { ...RESULT, ...more, bytes: 0, stored: 0, troubles: { changed: 2 } };
  expect(lines(archiveReport(worse, { seconds: 1, verified: false })).slice(2)).toEqual([
    'stored: 0 B: 1 archive on 2 volumes',
    'took: 1.0 s, 0 B/s',
    'read: / (lvm)',
    'since: web-000001: 9 files as there, 1 of it gone',
    'removed: web-000001',
    'verified: not yet: mindi verify /bkp/web-000002',
    'changed: 2: changed while it was read',
    'Which: mindi list /bkp/web-000002 --troubles',
  ]);
});

test('durations', () => {
  expect([0.04, 59.94, 60, 3599, 7980].map(duration)).toEqual([
    '0.0 s',
    '59.9 s',
    '1 min 0 s',
    '59 min 59 s',
    '2 h 13 min',
  ]);
});
