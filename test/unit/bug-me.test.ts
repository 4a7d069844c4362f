import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ReadyReport } from '../../contract/report.ts';
import { qrText, summaryLines, summaryPage } from '../../initramfs/bug-me/summary.ts';
import { scanned } from '../scan.ts';

const CONFIG = { name: 'web', generator: 'mindi 4.0.0', machine: 'web01', created: '2026-11-24T10:00:00Z' };
const REPORT = {
  ...{ kernel: '6.1.0-56-amd64', mode: 'nuke', medium: null, trusted: false },
  memory: { total: 488, available: 300 },
  disks: [{ name: 'sda', bytes: 500e9, model: 'x', driver: 'ahci' }],
  nics: [{ name: 'eth0', mac: '', driver: 'e1000e', link: true, addresses: ['10.0.2.15/24'] }],
  source: { address: 'nfs://server/x', path: null, volumes: [], failure: 'The server is away.' },
  missing: [],
  requested: [],
  problems: ['The first.', 'The second.'],
} as unknown as ReadyReport;

describe('the summary of a report', () => {
  test('says what somebody far away asks first', () => {
    expect(summaryLines(CONFIG, REPORT)).toEqual([
      'mindi 4.0.0 web made 2026-11-24 for web01',
      'Linux 6.1.0-56-amd64 nuke 300/488 MiB',
      'medium NOT FOUND NOT TRUSTED',
      'source: The server is away.',
      'problem: The first.',
      'problem: The second.',
      'disks sda 500.0 GB ahci',
      'network eth0 e1000e 10.0.2.15/24',
    ]);
    expect(summaryLines(CONFIG, null)).toEqual([
      'mindi 4.0.0 web made 2026-11-24 for web01',
      'The boot did not come to its end: the log says where it stopped.',
    ]);
  });

  test('has a QR code that can be read from a screen of 80x25, beside what fits of it', () => {
    const page = summaryPage(summaryLines(CONFIG, REPORT));
    expect(page).toMatch(/\x1b\[0m medium NOT FOUND NOT TRUSTED\n/);
    expect(scanned(page.replaceAll(/\x1b\[[\d;]*m/g, ''))).toBe(
      'MINDI 4.0.0 WEB MADE 2026-11-24 FOR WEB01 / LINUX 6.1.0-56-AMD64 NUKE 300/488 MIB / MEDIUM NOT FOUND NOT TRUSTED / SOURCE: THE SERVER IS AWAY. / PROBLEM: THE FIRST. / PROBLEM: THE SECOND. / DISKS',
    );
  });

  test('fits whatever it is made of', () => {
    const lines = fc.array(
      fc.uint8Array({ minLength: 1, maxLength: 80 }).map((bytes) => Buffer.from(bytes).toString()),
      { minLength: 1, maxLength: 40 },
    );
    fc.assert(
      fc.property(lines, (some) => {
        const rows = summaryPage(some)
          .replaceAll(/\x1b\[[\d;]*m/g, '')
          .trimEnd()
          .split('\n');
        expect(rows.length).toBeLessThanOrEqual(23);
        for (const row of rows) expect(row).toMatch(/^[▀▄█ ]{20,45}( [ -~]*)?$/);
        for (const row of rows) expect([...row].length).toBeLessThanOrEqual(79);
        if (qrText(some) !== '') expect(scanned(rows.join('\n'))).toBe(qrText(some));
      }),
      { numRuns: 10 },
    );
  });
});
