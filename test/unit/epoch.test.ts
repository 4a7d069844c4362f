import { afterEach, describe, expect, test, vi } from 'vitest';
import { kernelDate, mediaEpoch } from '../../builder/epoch.ts';
import { MindiError } from '../../contract/error.ts';

const DEBIAN = '6.1.0-50-amd64 (debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-08-12)';

afterEach(() => vi.unstubAllEnvs());

describe('the moment written on the media', () => {
  test('is SOURCE_DATE_EPOCH before anything else', () => {
    vi.stubEnv('SOURCE_DATE_EPOCH', '1234567890');
    expect(mediaEpoch({ entries: [], machine: 'web1', captured: 5 }, DEBIAN)).toBe(1234567890);
  });

  test('is the capture time of the mountlist, else the kernel build date, else 0', () => {
    vi.stubEnv('SOURCE_DATE_EPOCH', '');
    expect(mediaEpoch({ entries: [], machine: 'web1', captured: 5 }, DEBIAN)).toBe(5);
    expect(mediaEpoch({ entries: [], machine: null, captured: null }, DEBIAN)).toBe(Date.UTC(2026, 7, 12) / 1000);
    expect(mediaEpoch(null, 'no date in here')).toBe(0);
  });

  test('refuses a SOURCE_DATE_EPOCH that is no number, with a hint', () => {
    vi.stubEnv('SOURCE_DATE_EPOCH', 'yesterday');
    expect(() => mediaEpoch(null, DEBIAN)).toThrow(MindiError);
  });
});

describe('kernelDate', () => {
  test.each([
    [DEBIAN, Date.UTC(2026, 7, 12)],
    ['6.1.2 (builder@host) #1 SMP Wed Aug 12 10:00:05 UTC 2026', Date.UTC(2026, 7, 12, 10, 0, 5)],
    [
      '6.9.1-arch1-1 (linux@archlinux) #1 SMP PREEMPT_DYNAMIC Fri, 17 May 2024 16:56:38 +0000',
      Date.UTC(2024, 4, 17, 16, 56, 38),
    ],
    ['no date in here', undefined],
  ])('%s', (banner, expected) => {
    expect(kernelDate(banner)).toBe(expected === undefined ? undefined : expected / 1000);
  });
});
