import { randomBytes } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { burn, lookAtDisc, parseDisc } from '../../builder/write/burner.ts';
import { canWrite, compareDisc, type DiscCase, discRefusals } from '../../builder/write/disc.ts';

let work: Scratch;
let image: { path: string; size: number };
beforeAll(async () => {
  work = await scratch('test');
  const size = 5 << 20;
  image = { path: join(work.path, 'x.iso'), size };
  await writeFile(image.path, randomBytes(size));
});
afterAll(() => work[Symbol.asyncDispose]());

const toc = (kind: string, status: string, blocks: string) =>
  `Drive current: -outdev '/dev/sr0'\nMedia current: ${kind}\nMedia status : ${status}\nMedia blocks : ${blocks}\n`;

describe('the disc in a drive, as xorriso tells it', () => {
  test.each([
    ['CD-R', 'is blank', '0 readable , 359844 writable , 359844 overall', 'blank', false, 359844],
    [
      'CD-RW (Standard speed)',
      'is written , is closed',
      '27648 readable , 0 writable , 336075 overall',
      'written',
      true,
      336075,
    ],
    [
      'DVD+RW',
      'is written , is appendable',
      '27648 readable , 2267456 writable , 2295104 overall',
      'written',
      true,
      2295104,
    ],
    [
      'BD-R sequential recording',
      'is written , is closed',
      '27648 readable , 0 writable , 27648 overall',
      'written',
      false,
      27648,
    ],
  ] as const)('%s that %s', (kind, status, blocks, state, rewritable, overall) => {
    const disc = parseDisc(toc(kind, status, blocks));
    expect(disc).toEqual({ kind: kind.replace(/ \(.*/, ''), state, rewritable, room: overall * 2048 });
  });

  test.each(['', 'Media current: is not present\n', 'Media status : is not recognizable\n'])('none: %j', (text) => {
    expect(parseDisc(text)).toMatchObject({ kind: null, state: 'none', room: null });
  });
});

describe('burning, by xorriso on its imitation of a drive', () => {
  test('burns, tells how far it is, and what is read back is the same', async () => {
    const [drive, file] = [`stdio:${work.path}/disc`, join(work.path, 'disc')];
    expect(await lookAtDisc(drive)).toMatchObject({ state: 'blank', rewritable: true });
    const heard: number[] = [];
    await burn(drive, image.path, true, (_, total) => heard.push(total));
    expect(heard.every((total) => total === image.size)).toBe(true);
    await compareDisc(file, image, () => {});
    await using disc = await open(file, 'r+');
    await disc.write(Buffer.alloc(16), 0, 16, 4096);
    await expect(compareDisc(file, image, () => {})).rejects.toMatchObject({ code: 'write.differs', exitCode: 1 });
    await disc.truncate(1 << 20);
    await expect(compareDisc(file, image, () => {})).rejects.toThrow(/cannot be read from byte 0 on/);
  });

  test('a failure says that the disc is lost', async () => {
    const folder = join(work.path, 'no-such', 'folder');
    await expect(burn(`stdio:${folder}`, image.path, false, () => {})).rejects.toMatchObject({ code: 'disc.failed' });
  });
});

test('which drive burns, as the kernel found out', () => {
  const info = [
    'CD-ROM information, Id: cdrom.c 3.20 2003/12/17',
    '',
    'drive name:\t\tsr1\tsr0',
    'drive speed:\t\t4\t24',
    'Can play audio:\t\t1\t1',
    'Can write CD-R:\t\t0\t1',
    'Can write DVD-R:\t0\t1',
    '',
  ].join('\n');
  expect(['sr0', 'sr1', 'sr2'].map((drive) => canWrite(info, drive))).toEqual([true, false, false]);
});

describe('what is refused', () => {
  const blank: DiscCase = {
    drive: '/dev/sr0',
    writes: true,
    disc: { kind: 'DVD-R', state: 'blank', rewritable: false, room: 4_700_000_000 },
    image: { path: 'x.iso', size: 100_000_000, starts: ['cdrom', 'usb'] },
    blank: false,
    mounted: null,
  };
  const written = { kind: 'CD-RW', state: 'written', rewritable: true, room: 688_000_000 } as const;
  test.each<[string, Partial<DiscCase>, string[]]>([
    ['a blank disc: nothing', {}, []],
    ['a drive that only reads', { writes: false, disc: parseDisc('') }, ['disc.no-burner']],
    ['no disc', { disc: parseDisc('') }, ['disc.none']],
    ['a written one', { disc: { ...written, kind: 'CD-R', rewritable: false } }, ['disc.written']],
    ['a rewritable one, unasked', { disc: written }, ['disc.not-blank']],
    ['a rewritable one with --blank: nothing', { disc: written, blank: true }, []],
    [
      'a small and mounted one',
      { disc: { ...blank.disc, room: 1 }, mounted: '/mnt' },
      ['write.mounted', 'write.too-small'],
    ],
    ['an image for sticks', { image: { ...blank.image, starts: ['usb'] } }, ['write.stick-only']],
  ])('%s', (_, change, codes) => {
    expect(discRefusals({ ...blank, ...change }).map(({ code }) => code)).toEqual(codes);
  });
});
