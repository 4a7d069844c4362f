import { PassThrough } from 'node:stream';
import headless from '@xterm/headless';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ReadyReport } from '../../contract/report.ts';
import type { RescueConfig } from '../../contract/rescue-config.ts';
import type { Console, Consoles } from '../../initramfs/consoles.ts';
import { Unanswered } from '../../initramfs/person.ts';
import { duration, progressLine } from '../../initramfs/progress.ts';
import { summary, title } from '../../initramfs/screen/facts.ts';
import { COLUMNS, clip, keyed, menuLines, type Picture, ROWS, wrap } from '../../initramfs/screen/layout.ts';
import type { Word } from '../../initramfs/screen/lending.ts';
import { Screen } from '../../initramfs/screen/screen.ts';

const PICTURE: Picture = { title: 'mindi', head: ['one', 'two'], question: 'Which?', hint: 'Enter.', news: [] };
const CHOICES = Array.from({ length: 40 }, (_, i) => ({ value: `v${i}`, text: `choice ${i}` }));

/** Without what marks lines. */
const bare = (line: string) => line.replaceAll(/\x1b\[\d+m/g, '');

describe('the layout', () => {
  test('fits a vt100 whatever it is made of: 24 lines of at most 79 columns of ASCII', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 200 });
    const picture = fc.record({
      title: text,
      head: fc.array(text, { maxLength: 11 }),
      question: text,
      hint: text,
      news: fc.array(text, { maxLength: 12 }),
    });
    const list = fc.array(fc.record({ value: text, text }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(picture, list, fc.nat(59), (drawn, choices, at) => {
        const cursor = at % choices.length;
        const lines = menuLines(drawn, keyed(choices), cursor);
        expect(lines.length).toBeLessThanOrEqual(ROWS);
        for (const line of lines) expect(bare(line)).toMatch(new RegExp(`^[ -~]{0,${COLUMNS}}$`));
        expect(lines.filter((line) => bare(line).startsWith(' > '))).not.toEqual([]);
      }),
    );
  });

  test('shows a long list around the cursor, and that there is more', () => {
    const lines = menuLines(PICTURE, keyed(CHOICES), 20).map(bare);
    expect(lines).toHaveLength(ROWS);
    expect(lines.filter((line) => line.includes('... more'))).toEqual(['     ... more above', '     ... more below']);
    expect(lines.find((line) => line.startsWith(' > '))).toMatch(/^ > l {2}choice 20/);
    expect(menuLines(PICTURE, keyed(CHOICES), 39).map(bare).join('\n')).toContain(' > ');
  });

  test('cuts lines with dots and breaks sentences at blanks', () => {
    expect(clip('für ein Gerät', 10)).toBe('f?r ein...');
    expect(wrap('one two three', 7, '  ')).toEqual(['one two', '  three']);
  });
});

test('the first screen says in a few lines what this is, what was found and what is missing', () => {
  const config = {
    ...{ name: 'web', machine: 'web01', created: '2026-11-24T10:00:00Z', generator: 'mindi 4.0.0' },
    stage2: null,
  } as RescueConfig;
  const disk = { name: 'sda', bytes: 500e9, model: 'A rather long name of a disk that somebody sold', driver: 'ahci' };
  const report = {
    ...{ seconds: 12.34, kernel: '6.1.0', runtime: 'node 24', memory: { total: 488, available: 300 } },
    ...{
      medium: '/dev/sr0',
      trusted: null,
      check: null,
      source: null,
      secureBoot: false,
      problems: ['The first.', 'The second.'],
    },
    disks: [disk, disk],
    nics: [{ name: 'eth0', mac: '52:54:00:12:34:56', driver: 'e1000e', link: false, addresses: [] }],
    tapes: [{ name: 'st0', model: 'HP Ultrium' }],
    sticks: [{ device: '/dev/sdb1', files: ['authorized_keys', 'config.yaml'], config: true }],
    missing: [{ device: 'pci 0000:00:05.0', name: 'SCSI controller 1000:0012', modalias: 'pci:', modules: [] }],
    requested: [],
    storage: { arrays: [], volumes: [], encrypted: [], silent: [] },
  } as unknown as ReadyReport;
  expect(title(config)).toBe('mindi rescue medium "web", made 2026-11-24 for web01 (mindi 4.0.0)');
  expect(summary(report, { config, source: 'none chosen yet' })).toEqual([
    'Linux 6.1.0, node 24, 488 MiB of memory (300 free), up in 12.3 s',
    'Medium    /dev/sr0, second stage checked',
    'Disks     sda  500.0 GB  A rather long name of a disk that some... (and 1 more)',
    'Network   eth0  52:54:00:12:34:56  (e1000e)  no cable',
    'Tapes     st0  HP Ultrium',
    'Stick     /dev/sdb1  authorized_keys, config.yaml',
    'Source    none chosen yet',
    'Missing   SCSI controller 1000:0012 at pci 0000:00:05.0: this kernel has no ...',
    'Problems  The first. (and 1 more)',
  ]);
});

test('progress: share, rate, and the time left', () => {
  expect(progressLine('reading', 25e6, 100e6, 5)).toBe('reading: 25 %, 25.0 MB of 100.0 MB, 5.0 MB/s, 15 s left');
  expect(progressLine('reading', 0, 100, 0)).toBe('reading: 0 %, 0 B of 100 B');
  expect(progressLine('reading', 4096, 0, 2)).toBe('reading: 4.1 kB, 2.0 kB/s');
  expect([8, 125, 12_000].map(duration)).toEqual(['8 s', '2 min 5 s', '3 h 20 min']);
});

/** A terminal that was lent: what was written to it, its keys, and how it was given back. */
class Lent {
  readonly keys = new PassThrough();
  readonly given: Word[] = [];
  written = '';
  readonly console: Partial<Console>;
  readonly name: string;

  constructor(name: string) {
    this.name = name;
    const write = (text: string) => {
      this.written += text;
    };
    this.console = { heed: null, revive: () => {}, write };
  }

  loan() {
    return { name: this.name, keys: this.keys, giveBack: (word: Word) => void this.given.push(word) };
  }

  /** As xterm shows it, with what the terminal driver does to line ends. */
  async shows(): Promise<string> {
    const terminal = new headless.Terminal({ cols: 80, rows: 24, allowProposedApi: true, convertEol: true });
    await new Promise<void>((resolve) => terminal.write(this.written, resolve));
    const { active } = terminal.buffer;
    const lines = Array.from({ length: 24 }, (_, i) => active.getLine(active.baseY + i)?.translateToString(true) ?? '');
    return lines.join('\n');
  }

  async type(...keys: string[]): Promise<void> {
    for (const key of keys) {
      this.keys.write(key);
      await settled();
    }
  }
}

/** Longer than an escape sequence may take. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 70));

describe.each([
  ['drawn', false],
  ['textonly', true],
])('a question, %s', (_, plain) => {
  let serial: Lent;
  let vga: Lent;
  let screen: Screen;
  beforeEach(() => {
    serial = new Lent('ttyS0');
    vga = new Lent('tty1');
    const consoles = { one: (name: string) => [serial, vga].find((lent) => lent.name === name)?.console };
    screen = new Screen('the title', consoles as unknown as Consoles, plain);
    screen.take(serial.loan());
    screen.take(vga.loan());
  });
  const three = CHOICES.slice(0, 3);

  test('stands on all terminals; the first answer holds and the others are told', async () => {
    const asked = screen.choose('Which one?', three);
    await settled();
    for (const lent of [serial, vga]) expect(await lent.shows()).toMatch(/the title[\s\S]*choice 0[\s\S]*choice 2/);
    await vga.type('2', ...(plain ? ['\n'] : []));
    expect(await asked).toBe('v1');
    const next = screen.choose('And now?', three);
    await settled();
    expect(await serial.shows()).toMatch(/Answered at tty1\./);
    await serial.type('1', ...(plain ? ['\n'] : []));
    expect(await next).toBe('v0');
  });

  test('stands on a terminal that comes later, not on one that went', async () => {
    const asked = screen.choose('Which one?', three);
    serial.keys.end();
    await settled();
    expect(serial.given).toEqual(['again']);
    serial = new Lent('ttyS0');
    screen.take(serial.loan());
    await settled();
    await serial.type('3', ...(plain ? ['\n'] : []));
    expect(await asked).toBe('v2');
  });

  test('comes one after the other', async () => {
    const answers = Promise.all([screen.choose('First?', three), screen.choose('Second?', three)]);
    await settled();
    expect(await vga.shows()).not.toContain('Second?');
    await vga.type('1', ...(plain ? ['\n'] : []));
    expect(await vga.shows()).toContain('Second?');
    await serial.type('2', ...(plain ? ['\n'] : []));
    expect(await answers).toEqual(['v0', 'v1']);
  });

  test('takes a line; what is secret is never written', async () => {
    const asked = screen.enter('The name', { preset: 'web' });
    await settled();
    await serial.type(plain ? '' : '01', plain ? '\n' : '\r');
    expect(await asked).toBe(plain ? 'web' : 'web01');
    const secret = screen.enter('The passphrase', { secret: true });
    await settled();
    await serial.type(' hunter22', plain ? '\n' : '\r');
    expect(await secret).toBe('hunter22');
    expect(serial.written).not.toContain('hunter');
  });
});

describe('drawn', () => {
  let lent: Lent;
  let screen: Screen;
  beforeEach(() => {
    lent = new Lent('ttyS0');
    screen = new Screen('the title', { one: () => lent.console } as unknown as Consoles, false);
    screen.take(lent.loan());
  });

  test('arrow keys move, and no more is drawn than two lines', async () => {
    const asked = screen.choose('Which one?', CHOICES.slice(0, 9), 'v1');
    await settled();
    const before = lent.written.length;
    await lent.type('\x1b[B', '\x1bOB', '\x1b[A');
    expect(lent.written.length - before).toBeLessThan(3 * 200);
    expect(await lent.shows()).toContain(' > 3  choice 2');
    await lent.type('\r');
    expect(await asked).toBe('v2');
  });

  test('Esc goes back, and what was typed before a question does not answer it', async () => {
    await lent.type('1');
    const asked = screen.choose('Which one?', CHOICES.slice(0, 3));
    const answered = expect(asked).rejects.toThrow(Unanswered);
    await settled();
    await lent.type('\x1b');
    await answered;
  });

  test('a long text is cut to what fits, and says so', async () => {
    const shown = screen.show(Array.from({ length: 40 }, (_, i) => `Sentence ${i}.`));
    await settled();
    expect(await lent.shows()).toMatch(/^ the title[\s\S]*Sentence 13\.\n\.\.\. and more[\s\S]*Go on/);
    await lent.type('\r');
    await shown;
  });

  test('progress is shown between questions, never over one', async () => {
    expect(lent.console.progressAs?.()).toBe('over');
    const asked = screen.choose('Which one?', CHOICES.slice(0, 3));
    await settled();
    expect(lent.console.progressAs?.()).toBe('none');
    await lent.type('1');
    await asked;
    expect(lent.console.progressAs?.()).toBe('over');
  });

  test('what stands above a menu is looked at again when something has changed', async () => {
    let stick = 'none';
    const asked = screen.menu('', CHOICES.slice(0, 3), { head: () => [`Stick: ${stick}`] });
    await settled();
    stick = '/dev/sdb';
    expect(await lent.shows()).toContain('Stick: none');
    screen.refresh();
    expect(await lent.shows()).toMatch(/Stick: \/dev\/sdb[\s\S]*choice 0[\s\S]*choice 2/);
    await lent.type('1');
    expect((await asked).value).toBe('v0');
    screen.refresh();
  });

  test('messages appear below the question', async () => {
    const asked = screen.choose('Which one?', CHOICES.slice(0, 3));
    await settled();
    lent.console.heed?.('mindi:  12.0 s  a disk came\n');
    expect((await lent.shows()).trimEnd()).toMatch(/Arrow keys.*\nmindi: {2}12.0 s {2}a disk came$/);
    await lent.type('1');
    expect(await asked).toBe('v0');
    lent.console.heed?.('later\n');
    expect(lent.written).toMatch(/later\n$/);
  });
});
