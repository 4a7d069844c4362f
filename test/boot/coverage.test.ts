import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { profileCoverage } from '../../builder/coverage/coverage.ts';
import { htmlReport } from '../../builder/coverage/report-html.ts';
import { junitReport } from '../../builder/coverage/report-junit.ts';
import type { Coverage } from '../../builder/coverage/types.ts';
import { gapsOf } from '../../builder/coverage/words.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { bytesOf, cellOf } from '../coverage-fixture.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** The whole coverage.yaml on the kernels Debian has today: fetched once, from mindi's cache when they are there. */
let coverage: Coverage;
const scratch = temporaryFolder('coverage');

beforeAll(async () => {
  coverage = await profileCoverage(await loadProfile('standalone'), {});
}, 1_200_000);

describe('the profile standalone', () => {
  test('drives all the required hardware on every kernel, or an exception says why not', () => {
    const { failing } = gapsOf(coverage);
    expect(failing.map(({ row, kernel, cell }) => `${row.id} on ${kernel.name}: ${cell.status}`)).toEqual([]);
    expect(coverage.kernels.filter(({ fails }) => fails).map(({ name, problem }) => [name, problem])).toEqual([]);
    expect(coverage.covered).toBe(true);
  });

  test('the exceptions are all needed', () => expect(coverage.needless).toEqual([]));

  test('real kernels: hundreds of modules, tens of megabytes, different releases', () => {
    const real = coverage.kernels.filter(({ derived, problem }) => !derived && problem === null);
    expect(real.length).toBeGreaterThanOrEqual(6);
    expect(new Set(real.map(({ release }) => release)).size).toBe(real.length);
    for (const { name } of real) expect(bytesOf(coverage, name, 'byDirectory'), name).toBeGreaterThan(30 << 20);
    expect(cellOf(coverage, 'ahci', 'bookworm-cloud').status).toBe('excepted');
    expect(cellOf(coverage, 'nvme', 'bookworm-arm64').status).toBe('module');
  });

  test('a second run needs no network', async () => {
    const proxy = process.env.http_proxy;
    process.env.http_proxy = 'http://127.0.0.1:9';
    try {
      const there = coverage.kernels.filter(({ problem }) => problem === null).map(({ name }) => name);
      const again = await profileCoverage(await loadProfile('standalone'), { only: there });
      const same = coverage.kernels.filter(({ name }) => there.includes(name));
      expect(again.kernels).toEqual(same);
    } finally {
      if (proxy === undefined) delete process.env.http_proxy;
      else process.env.http_proxy = proxy;
    }
  });
});

/** No sandbox: CI's containers run as root. Nothing of it may go out by itself. */
const QUIET = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** What the page is asked in its own language. */
const TILES = `[...document.querySelectorAll('#treemap .tile')].map((tile) => {
  const { width, height } = tile.getBoundingClientRect();
  return { bytes: Number(tile.dataset.bytes), area: width * height };
})`;
const LEAST_CONTRAST = readFileSync(join(import.meta.dirname, 'least-contrast.js'), 'utf8');

describe('the page in Chromium', () => {
  let browser: Browser;
  let page: Page;
  let said: string[];
  let requests: string[];
  const url = pathToFileURL(join(scratch, 'coverage.html')).href;

  beforeAll(async () => {
    writeFileSync(join(scratch, 'coverage.html'), await htmlReport(coverage));
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: QUIET });
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    said = [];
    requests = [];
    page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(error.message));
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(url);
  });
  afterEach(async () => {
    expect(said).toEqual([]);
    expect(requests).toEqual([url]);
    await page.close();
  });

  const visibleRows = () => page.locator('#grid tbody tr[data-id]:visible').count();

  test('one column a kernel, one row a device, each cell says what it is', async () => {
    expect(await page.locator('#grid thead th').count()).toBe(coverage.kernels.length + 1);
    expect(await visibleRows()).toBe(coverage.rows.length);
    const cell = page.locator('tr[data-id="ahci"] td[data-kernel="bookworm-cloud"]');
    expect(await cell.textContent()).toMatch(/excepted\s*the cloud flavour/);
    expect(await page.locator('tr[data-id="virtio_pci"] td[data-kernel="trixie"]').textContent()).toMatch(/built in/);
    expect(await page.locator('tr[data-id="hpsa"] th[scope="row"]').textContent()).toContain('HP Smart Array');
    expect(await page.locator('.verdict').textContent()).toContain('Covered');
  });

  test('filters by text, group, status and kind of kernel, and says how many are left', async () => {
    await page.fill('#text', 'broadcom');
    expect(await visibleRows()).toBe(3);
    expect(await page.locator('#count').textContent()).toBe(`3 of ${coverage.rows.length} devices`);
    await page.fill('#text', '');
    await page.selectOption('#group', 'tape');
    expect(await visibleRows()).toBe(coverage.rows.filter(({ group }) => group === 'tape').length);
    await page.selectOption('#group', '');
    await page.selectOption('#status', 'excepted');
    const excepted = coverage.rows.filter(({ cells }) =>
      Object.values(cells).some(({ status }) => status === 'excepted'),
    );
    expect(await visibleRows()).toBe(excepted.length);
    await page.selectOption('#status', '');
    await page.selectOption('#kernels', 'derived');
    const derived = coverage.kernels.filter((kernel) => kernel.derived).length;
    expect(await page.locator('#grid thead th:visible').count()).toBe(derived + 1);
    await page.fill('#text', 'no such device');
    expect(await page.locator('#grid tbody:visible').count()).toBe(0);
  });

  test('the keyboard reaches every cell, and the chosen one is explained', async () => {
    await page.locator('#grid td[tabindex="0"]').focus();
    expect(await page.locator('#grid td[tabindex="0"]').count()).toBe(1);
    for (const key of ['ArrowRight', 'ArrowDown', 'ArrowDown', 'End', 'Home']) await page.keyboard.press(key);
    const focused = page.locator('#grid td:focus');
    expect(await focused.getAttribute('data-kernel')).toBe(coverage.kernels[0]?.name);
    const row = coverage.rows[2];
    expect(await page.locator('#detail').textContent()).toContain(row?.title);
    expect(await page.locator('#detail').textContent()).toContain(row?.device);
  });

  test('the treemap holds every byte, by directory and by set, on every kernel', async () => {
    for (const kernel of ['bookworm', 'trixie']) {
      for (const by of ['byDirectory', 'bySet'] as const) {
        await page.selectOption('#size-kernel', kernel);
        await page.selectOption('#size-by', by);
        const tiles = await page.evaluate<{ bytes: number; area: number }[]>(TILES);
        expect(tiles.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(bytesOf(coverage, kernel, by));
        const [biggest, ...rest] = tiles.toSorted((a, b) => b.bytes - a.bytes);
        expect(rest.every(({ area }) => area <= (biggest?.area ?? 0) * 1.05)).toBe(true);
        const items = coverage.kernels.find(({ name }) => name === kernel)?.sizes?.[by] ?? [];
        expect(await page.locator('.sizes tbody tr').count()).toBe(items.length);
      }
    }
  });

  test('light and dark: text stands out from what is behind it', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await page.evaluate(LEAST_CONTRAST)).toBeGreaterThanOrEqual(4.5);
    }
  });

  test('the narrow page does not scroll sideways, only its table does', async () => {
    await page.setViewportSize({ width: 400, height: 800 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400);
  });

  test('the JUnit file is well-formed XML', async () => {
    const xml = JSON.stringify(junitReport(coverage));
    const errors = await page.evaluate(
      `new DOMParser().parseFromString(${xml}, 'text/xml').querySelectorAll('parsererror').length`,
    );
    expect(errors).toBe(0);
  });
});
