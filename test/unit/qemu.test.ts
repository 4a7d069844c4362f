import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attachments } from '../../boot/bootable.ts';
import { readable } from '../../boot/console.ts';
import { startMachine } from '../../boot/qemu.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { findReady, READY_PREFIX } from '../../contract/report.ts';

let work: Scratch;
beforeEach(async () => {
  work = await scratch('test');
});
afterEach(() => work[Symbol.asyncDispose]());

const at = (name: string) => join(work.path, name);

/** The start of an image: what marks a disc, a disc that boots, a disk. */
async function image(marks: { iso?: boolean; elTorito?: boolean; mbr?: boolean }): Promise<string> {
  const bytes = Buffer.alloc(20 * 2048);
  if (marks.iso) bytes.write('CD001', 16 * 2048 + 1);
  if (marks.elTorito) bytes.write('EL TORITO SPECIFICATION', 17 * 2048 + 7);
  if (marks.mbr) bytes.writeUInt16LE(0xaa55, 510);
  await writeFile(at('image'), bytes);
  return at('image');
}

describe('images a machine can start from', () => {
  it('are discs, sticks, or both', async () => {
    expect(attachments(await image({ iso: true, elTorito: true }))).toEqual(['cdrom']);
    expect(attachments(await image({ mbr: true }))).toEqual(['usb']);
    expect(attachments(await image({ iso: true, elTorito: true, mbr: true }))).toEqual(['cdrom', 'usb']);
  });

  it('are refused with their name and a hint when they are not', async () => {
    await mkdir(at('directory'));
    await writeFile(at('empty'), '');
    await writeFile(at('short'), 'x');
    const refused: [string, string][] = [
      [at('nowhere'), 'image.missing'],
      [at('directory'), 'image.unbootable'],
      [at('empty'), 'image.empty'],
      [at('short'), 'image.unbootable'],
      [await image({ iso: true }), 'image.unbootable'],
    ];
    for (const [where, code] of refused)
      expect(() => attachments(where)).toThrow(expect.objectContaining({ code, where, hint: expect.any(String) }));
    const zeros = await image({});
    expect(() => attachments(zeros)).toThrow(/neither an ISO 9660 image nor a disk image/);
  });
});

describe('machine', () => {
  it.each([
    ['QEMU', { firmware: 'bios' as const }],
    ['a disk image', { drives: ['/nonexistent/disk.img'] }],
  ])('says what is missing when it is %s, and leaves nothing behind', async (_, options) => {
    const before = process.env.PATH;
    process.env.PATH = work.path;
    try {
      const error = await startMachine(options).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ name: 'MindiError', exitCode: 2, hint: expect.any(String) });
    } finally {
      process.env.PATH = before;
    }
  });
});

describe('console text', () => {
  it('shows menus drawn by cursor movements as lines', () => {
    const sent =
      '\x1b[2J\x1b[2;5H\x0elqqk\x0f\x1b[3;5H\x0ex\x0f\x1b[1;36mmindi\x1b[0m\x0ex\x0f\x1b[4;5H> Expert\r\nhello\r\n';
    expect(
      readable(sent)
        .split('\n')
        .map((line) => line.trim())
        .filter(Boolean),
    ).toEqual(['mindi', '> Expert', 'hello']);
  });

  it('leaves plain text and the ready line alone', () => {
    const report = { seconds: 4.2, mode: 'expert', problems: ['a "quoted" word'] };
    const sent = `[    0.1] Linux\r\n${READY_PREFIX}${JSON.stringify(report)}\r\n`;
    expect(findReady(readable(sent))).toEqual(report);
  });

  it('never fails', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (sent) => typeof readable(sent) === 'string'));
  });
});
