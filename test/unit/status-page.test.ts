import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ReadyReport } from '../../contract/report.ts';
import { escaped, type Status, statusPage } from '../../initramfs/remote/status-page.ts';
import { statusListener } from '../../initramfs/remote/status-server.ts';
import { facts } from '../../initramfs/screen/facts.ts';
import { CONFIG, REPORT } from '../report-sample.ts';

const HOSTILE = '</pre></style><script>alert(1)</script>&"\'';

function status(more: Partial<ReadyReport> = {}): Status {
  const report = { ...REPORT, statusPage: true, ...more };
  return { config: CONFIG, report, facts: facts(report, { config: CONFIG, source: 'none chosen yet' }), lately: [] };
}

describe('the status page', () => {
  test('shows what the first screen shows, problems first of all', () => {
    const page = statusPage({ ...status({ problems: ['The disk sda is gone.'] }), lately: ['mindi: 3.0 s  hello\n'] });
    for (const words of ['1 problem', 'The disk sda is gone.', 'QEMU HARDDISK', 'none chosen yet', '3.0 s  hello'])
      expect(page).toContain(words);
    expect(statusPage(status({ problems: [] }))).toContain('No problems');
  });

  test('what devices and servers say of themselves stays text', () => {
    const disks = [{ name: 'sda', bytes: 1, model: HOSTILE, driver: HOSTILE }];
    const page = statusPage({ ...status({ disks, problems: [HOSTILE], mode: HOSTILE }), lately: [HOSTILE] });
    expect(page).not.toContain('<script');
    expect(page.match(/<\/(?:pre|style)>/g)).toEqual(['</style>', '</pre>']);
    const plain = fc.property(fc.string(), (text) => {
      expect(escaped(text)).not.toMatch(/[<>"'\0]|&(?!\w+;|#39;)/);
    });
    fc.assert(plain);
  });

  test('names its addresses, IPv6 as URLs have it', () => {
    const [nic] = REPORT.nics;
    const nics = nic ? [{ ...nic, addresses: ['10.0.2.15/24', 'fd00::5/64'] }] : [];
    const row = status({ nics }).facts.find(([name]) => name === 'Page');
    expect(row?.[1]).toEqual(['http://10.0.2.15/', 'http://[fd00::5]/']);
  });
});

describe('its server', () => {
  const server = createServer(statusListener(status));
  let base = '';
  beforeAll(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test('gives the page and the report, for reading only', async () => {
    const page = await fetch(`${base}/?x=1`);
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'/);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(await page.text()).toBe(statusPage(status()));
    expect(await (await fetch(`${base}/ready.json`)).json()).toEqual(status().report);
    const head = await fetch(base, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    const post = await fetch(base, { method: 'POST', body: 'x' });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    for (const path of ['/etc/passwd', '/../etc/passwd', '/ready.json/'])
      expect((await fetch(base + path)).status).toBe(404);
  });
});
