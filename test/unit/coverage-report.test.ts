import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { coverageOf, type KernelMedium } from '../../builder/coverage/matrix.ts';
import { htmlReport } from '../../builder/coverage/report-html.ts';
import { junitReport } from '../../builder/coverage/report-junit.ts';
import { markdownReport } from '../../builder/coverage/report-markdown.ts';
import type { Coverage } from '../../builder/coverage/types.ts';
import { coverageText } from '../../cli/coverage-text.ts';
import { kernelTree } from '../kernel-fixture.ts';

/** What would end an attribute, an element, a cell or a script if it were not escaped. */
const NASTY = `</script><b onclick="x">&amp;'|*_[a](b) ]]>\u0007`;

/** Media that hold all of the cloud kernel but the module st. */
async function media(): Promise<KernelMedium[]> {
  const tree = await kernelTree('bookworm-cloud-amd64');
  const medium = {
    tree,
    partial: false,
    onMedia: (module: string) => module !== 'st',
    absence: async () => ({ why: `why ${NASTY}`, bring: ['drivers: { sets: [..., tape] }'] }),
    firmware: async () => null,
  };
  const base = {
    architecture: 'amd64',
    release: '6.1.0-50-cloud-amd64',
    origin: NASTY,
    problem: null,
    sizes: null,
    unavailable: 'fail' as const,
  };
  return [
    { ...base, name: 'cloud', title: NASTY, derived: false, uncovered: 'fail', medium },
    { ...base, name: 'informing', title: 'B', derived: true, uncovered: 'inform', medium },
    { ...base, name: 'lost', title: 'C', derived: false, uncovered: 'fail', medium: null, problem: `gone ${NASTY}` },
  ];
}

async function sample(): Promise<Coverage> {
  const hardware = (['virtio_blk', 'st', 'nvme', 'ahci', 'hpsa'] as const).map((module) => ({
    module,
    title: module === 'st' ? NASTY : `the ${module}`,
    group: 'storage' as const,
  }));
  const exceptions = [
    { kernels: ['cloud', 'informing'], modules: ['hpsa'], reason: `because ${NASTY}` },
    { kernels: ['cloud'], modules: ['nvme'], reason: 'old' },
  ];
  const device = 'pci:v00001000d0000005Dsv00001028sd00001F47bc01sc04i00';
  const machines = [{ name: 'web1.json', modaliases: [device, 'scsi:t-0x00'], names: new Map([[device, NASTY]]) }];
  return await coverageOf(await media(), { subject: NASTY, hardware, exceptions, machines });
}

describe('the reports', async () => {
  const coverage = await sample();

  test('the sample has one of each answer', () => {
    expect(coverage.kernels[0]?.counts).toEqual({
      module: 2,
      builtin: 1,
      'needs-none': 0,
      excepted: 1,
      'not-on-media': 1,
      absent: 2,
      unavailable: 0,
    });
    expect(coverage.kernels.map(({ fails }) => fails)).toEqual([true, false, true]);
  });

  test('text: no line is wider than a terminal of 80 columns, uncovered rows come first', () => {
    const lines = stripVTControlCharacters(coverageText(coverage)).split('\n');
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
    const at = (start: string) => lines.findIndex((line) => line.startsWith(start));
    expect(at('Uncovered (3):')).toBeGreaterThan(0);
    expect(at('Uncovered (3):')).toBeLessThan(at('Uncovered, only for information (3):'));
    expect(at('Uncovered, only for information (3):')).toBeLessThan(at('kernel '));
    expect(lines.join(' ').replaceAll(/ +/g, ' ')).toContain('to have it: drivers: { sets: [..., tape] }');
    expect(lines.find((line) => line.startsWith('cloud'))).toMatch(/6\.1\.0-50-cloud-amd64 +4\/7 +2 +1 +1 +fails/);
    expect(lines.join('\n')).toMatch(/Exceptions not needed any more, the driver is there:\n {2}nvme on cloud: old/);
  });

  test('junit: a suite a kernel, what fails is a failure, what informs or is excused is skipped', () => {
    const xml = junitReport(coverage);
    expect(xml).toContain('tests="15" failures="4" skipped="5"');
    expect(xml).not.toMatch(/<b |<\/script>|\u0007/);
    const [cloud = '', informing = '', lost = ''] = xml.split('<testsuite ').slice(1);
    expect(cloud).toMatch(/^name="cloud \(6\.1\.0-50-cloud-amd64\)" tests="7" failures="3" errors="0" skipped="1"/);
    expect(cloud).toContain('name="ahci: the ahci"><failure message="no driver: this kernel has no driver for it"/>');
    expect(cloud).toContain('<system-out>exception not needed any more: nvme (old)</system-out>');
    expect(informing).toContain('tests="7" failures="0" errors="0" skipped="4"');
    expect(lost).toMatch(/name="the kernel can be had"><failure message="gone /);
  });

  test('markdown: the verdict, what is uncovered and why, each kernel', () => {
    const text = markdownReport(coverage);
    expect(text).toMatch(/^## ❌ Driver coverage of &lt;\/script>/);
    expect(text).toContain('| ahci | cloud | no driver | this kernel has no driver for it |');
    expect(text).toContain('| cloud | 6.1.0-50-cloud-amd64 | 4/7 | ❌ |');
    const rows = text.split('\n').filter((line) => line.startsWith('|'));
    for (const row of rows) expect(row.replaceAll('\\|', '').match(/\|/g)?.length, row).toBeLessThanOrEqual(5);
  });

  test('html: one page without anything from elsewhere, whatever things are called', async () => {
    const html = await htmlReport(coverage);
    expect(html.match(/<\/script>/g)).toHaveLength(2);
    expect(html).not.toMatch(/<b onclick|\b(?:src|href)=|url\(|@import/);
    const data = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html)?.[1] ?? '';
    expect(JSON.parse(data)).toEqual(JSON.parse(JSON.stringify(coverage)));
    expect(html.match(/<th scope="col" data-kernel=/g)).toHaveLength(3);
    expect(html.match(/<tr data-id=/g)).toHaveLength(coverage.rows.length);
    expect(html).toMatch(
      /<td class="s-absent fails" data-kernel="cloud"[^>]*><span class="word"><span aria-hidden="true">✗<\/span> no driver/,
    );
  });

  test('the same answer gives the same bytes', async () => {
    const again = await sample();
    expect(JSON.stringify(again)).toBe(JSON.stringify(coverage));
    expect(await htmlReport(again)).toBe(await htmlReport(coverage));
  });
});
