import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Fat, mtools } from '../../boot/fat.ts';
import { findFat } from '../../boot/find-fat.ts';
import { makeIso } from '../../boot/iso.ts';
import type { MediumParts } from '../../boot/medium.ts';
import { menuModel } from '../../boot/menu.ts';
import { makeUsb } from '../../boot/usb.ts';
import { run } from '../../builder/run.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import type { RescueConfig } from '../../contract/rescue-config.ts';
import { formatSums, parseSums, SUMS } from '../../contract/sums.ts';
import { type CheckProgress, checkMedium, knownSums } from '../../initramfs/self-check.ts';
import { verifyManifest } from '../../initramfs/trust.ts';
import { MENU_FACTS } from '../medium-parts.ts';

const MIB = 1 << 20;
const MANIFEST = Buffer.from('{"name": "test"}\n');
const FILES = {
  kernel: randomBytes(MIB + 1),
  initrd: randomBytes(3 * MIB + 2047),
  stage2: randomBytes(5 * MIB + 1000),
};
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

let work: Scratch;
/** What is in the image, as it was written, and a copy to damage. */
let pristine: string;
let medium: string;
let parts: MediumParts;
const at = (...path: string[]) => join(work.path, ...path);

beforeAll(async () => {
  work = await scratch('test');
  for (const [name, bytes] of Object.entries(FILES)) writeFileSync(at(name), bytes);
  parts = {
    out: at('test.iso'),
    volumeId: 'TEST',
    epoch: 1700000000,
    id: 'a5'.repeat(32),
    kernel: at('kernel'),
    initrd: at('initrd'),
    stage2: { path: at('stage2'), sha256: sha256(FILES.stage2) },
    extraFiles: { 'mindi/manifest.json': MANIFEST },
    menu: menuModel({ name: 'test', generator: 'mindi', machine: null, epoch: 1700000000, ...MENU_FACTS }),
  };
  await makeIso(parts);
  pristine = at('pristine');
  await run('osirrox', ['-no_rc', '-indev', at('test.iso'), '-extract', '/', pristine], { package: 'xorriso' });
  execFileSync('chmod', ['-R', 'u+w', pristine]);
});
afterAll(() => work[Symbol.asyncDispose]());
beforeEach(() => {
  medium = at('medium');
  rmSync(medium, { recursive: true, force: true });
  cpSync(pristine, medium, { recursive: true });
});

const config = {
  stage2: { where: 'medium', path: 'mindi/stage2.squashfs', size: FILES.stage2.length, sha256: sha256(FILES.stage2) },
  manifest: { size: MANIFEST.length, sha256: sha256(MANIFEST), publicKey: null },
} as RescueConfig;
const quiet = () => {};
const check = (progress: CheckProgress = quiet) => checkMedium(medium, knownSums(config), progress);
const sentences = async () => (await check()).sentences;

function flip(path: string, offset: number): void {
  const bytes = readFileSync(join(medium, path));
  bytes[offset] = (bytes[offset] ?? 0) ^ 1;
  writeFileSync(join(medium, path), bytes);
}

describe('the self-check', () => {
  test('finds a medium whole, and so does sha256sum', async () => {
    const out = execFileSync('sha256sum', ['--strict', '-c', SUMS.list], { cwd: medium, encoding: 'utf8' });
    const files = out.trimEnd().split('\n').length;
    const report = await check();
    expect(report).toMatchObject({ whole: true, files });
    expect(report.sentences).toEqual([expect.stringMatching(`^This medium is whole: ${files} files, [\\d.]+ MiB\\.$`)]);
  });

  test('covers every file but the list itself, also of USB images', async () => {
    await makeUsb({ ...parts, out: at('test.img') }, { size: null, table: 'gpt' });
    const fat = findFat(at('test.img')) as Fat;
    const stick = at('stick');
    mkdirSync(stick);
    await mtools('mcopy', fat, ['-s', '-n', '::/', stick]);
    for (const folder of [medium, stick]) {
      const all = execFileSync('find', ['-type', 'f', '-printf', '%P\\n'], { cwd: folder, encoding: 'utf8' });
      const { sums, badLines } = parseSums(readFileSync(join(folder, SUMS.list), 'utf8'));
      expect([...sums.map(({ path }) => path), SUMS.list].sort()).toEqual(all.trimEnd().split('\n').sort());
      expect(badLines).toEqual([]);
      execFileSync('sha256sum', ['--strict', '-c', SUMS.list], { cwd: folder, stdio: 'pipe' });
    }
  });

  test('tells how far it is, file by file', async () => {
    const told: [path: string, part: number][] = [];
    await check((path, done, size) => told.push([path, done / size]));
    const percents = told.flatMap(([path, part]) => (path === 'mindi/stage2.squashfs' ? [Math.floor(part * 100)] : []));
    expect(percents).toEqual([0, 19, 39, 59, 79, 99, 100]);
  });

  test.each([
    ['isolinux/isolinux.bin', 20, 'isolinux/isolinux.bin is damaged, somewhere in its 38 KiB.'],
    ['isolinux/boot.cat', 100, 'isolinux/boot.cat is damaged, somewhere in its 2 KiB.'],
    ['mindi/vmlinuz', MIB, 'mindi/vmlinuz is damaged between 1 and 2 MiB.'],
    ['mindi/initrd.img', 10, 'mindi/initrd.img is damaged between 0 and 1 MiB.'],
    ['mindi/stage2.squashfs', 3 * MIB, 'mindi/stage2.squashfs is damaged between 3 and 4 MiB.'],
    ['mindi/manifest.json', 5, 'mindi/manifest.json is damaged, somewhere in its 1 KiB.'],
    ['mindi/regions.json', 30, 'mindi/regions.json is damaged, somewhere in its 1 KiB.'],
  ])('finds one flipped bit in %s', async (path, offset, sentence) => {
    flip(path, offset);
    expect(await check()).toMatchObject({ whole: false, sentences: [sentence] });
  });

  test('names several places, and the rest by their number', async () => {
    for (const place of [0, 2, 4]) flip('mindi/stage2.squashfs', place * MIB);
    truncateSync(join(medium, 'mindi/stage2.squashfs'), 5 * MIB - 1);
    expect(await sentences()).toEqual([
      'mindi/stage2.squashfs is damaged between 0 and 1 MiB, between 2 and 3 MiB, between 4 and 6 MiB.',
    ]);
    flip('mindi/stage2.squashfs', MIB + 9);
    flip('mindi/initrd.img', 0);
    expect(await sentences()).toEqual([
      'mindi/initrd.img is damaged between 0 and 1 MiB.',
      'mindi/stage2.squashfs is damaged between 0 and 3 MiB, between 4 and 6 MiB.',
    ]);
  });

  test('finds any flipped bit in its own list', async () => {
    const small = readFileSync(join(pristine, SUMS.list), 'utf8').replaceAll(
      /^.*(?:initrd\.img|vmlinuz|squashfs|efi\.img)\n/gm,
      '',
    );
    const known = new Map([['mindi/manifest.json', sha256(MANIFEST)]]);
    writeFileSync(join(medium, SUMS.list), small);
    expect((await checkMedium(medium, known, quiet)).whole).toBe(true);
    for (const offset of fc.sample(fc.nat(small.length - 1), 20)) {
      writeFileSync(join(medium, SUMS.list), small);
      flip(SUMS.list, offset);
      expect((await checkMedium(medium, known, quiet)).whole, `byte ${offset}`).toBe(false);
    }
  });

  test('says which is right, list or file, where the boot image knows', async () => {
    const path = join(medium, SUMS.list);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace(sha256(MANIFEST), sha256(FILES.kernel)));
    expect(await sentences()).toEqual([
      'The list of files (mindi/sha256sums) is damaged: mindi/manifest.json itself is right.',
    ]);
    writeFileSync(path, text.replace(sha256(FILES.stage2), sha256(FILES.kernel)));
    writeFileSync(join(medium, 'mindi/stage2.squashfs'), FILES.kernel);
    expect(await sentences()).toEqual(['mindi/stage2.squashfs is not the one this boot image belongs to.']);
    writeFileSync(path, text.replace(/^.*manifest\.json\n/m, ''));
    expect(await sentences()).toContain('The list of files (mindi/sha256sums) does not name mindi/manifest.json.');
  });

  test('goes on after a file that is missing or has become longer', async () => {
    rmSync(join(medium, 'boot/help.txt'));
    appendFileSync(join(medium, 'mindi/id'), '\n');
    expect(await sentences()).toEqual(['boot/help.txt is missing.', 'mindi/id is damaged, somewhere in its 1 KiB.']);
    rmSync(join(medium, SUMS.list));
    expect(await sentences()).toEqual([expect.stringMatching(/^The list of files .* cannot be read: ENOENT/)]);
  });

  test('takes any list and any regions without failing', async () => {
    const line = fc.tuple(fc.stringMatching(/^[0-9a-f]{64}$/), fc.string()).map(([sum, path]) => `${sum}  ${path}`);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.array(line).map((lines) => lines.join('\n')),
        ),
        fc.json(),
        async (list, regions) => {
          writeFileSync(join(medium, SUMS.list), list);
          writeFileSync(join(medium, SUMS.regions), regions);
          expect(await check()).toMatchObject({ whole: false });
        },
      ),
      { numRuns: 50 },
    );
  });

  test('a list is read as it was written', () => {
    const path = fc
      .stringMatching(/^[a-z0-9 ._=-]{1,20}(\/[a-z0-9 ._=-]{1,20}){0,2}$/)
      .filter((text) => !text.split('/').includes('..'));
    const sums = fc.array(fc.record({ path, sha256: fc.stringMatching(/^[0-9a-f]{64}$/) }));
    fc.assert(
      fc.property(sums, (list) => void expect(parseSums(formatSums(list))).toEqual({ sums: list, badLines: [] })),
    );
  });
});

describe('the manifest on the medium', () => {
  const keys = () => {
    mkdirSync(at('keys'), { recursive: true });
    execFileSync('minisign', ['-G', '-W', '-f', '-p', at('keys/pub'), '-s', at('keys/secret')], { stdio: 'pipe' });
    return readFileSync(at('keys/pub'), 'utf8').split('\n')[1] as string;
  };
  const file = () => join(medium, 'mindi/manifest.json');
  const verify = (publicKey: string | null) =>
    verifyManifest(medium, { ...(config.manifest as object as { size: number; sha256: string }), publicKey });

  test('must be the one the boot image belongs to', async () => {
    expect(await verify(null)).toBeNull();
    flip('mindi/manifest.json', 3);
    expect(await verify(null)).toMatch(/^its checksum is [0-9a-f]{64} instead of /);
    appendFileSync(file(), ' ');
    expect(await verify(null)).toBe(`it has ${MANIFEST.length + 1} bytes instead of ${MANIFEST.length}`);
    rmSync(file());
    expect(await verify(null)).toBe('it is not there');
  });

  test('must be signed where the boot image has a key', async () => {
    const key = keys();
    expect(await verify(key)).toBe('it is not signed');
    execFileSync('minisign', ['-S', '-s', at('keys/secret'), '-m', file()], { stdio: 'pipe' });
    expect(await verify(key)).toBeNull();
    expect(await verify(keys())).toBe('it is signed with another key');
    expect(await verify('nonsense')).toBe('the public key in the boot image is none');
    chmodSync(dirname(file()), 0o755);
    writeFileSync(`${file()}.minisig`, 'x'.repeat(20_000));
    expect(await verify(key)).toBe('it is not signed');
  });
});
