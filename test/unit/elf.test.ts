import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { parseElf, readElf } from '../../builder/tools/elf.ts';
import { libraryClosure } from '../../builder/tools/libraries.ts';
import { MindiError } from '../../contract/error.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { type ElfSample, makeElf } from './elf-sample.ts';

const scratch = temporaryFolder('elf');
let root = '';
beforeEach(() => {
  root = mkdtempSync(join(scratch, 'root-'));
});

const LOADER = '/lib64/ld-linux-x86-64.so.2';

/** A tree of files, links (`-> target`) and ELF samples. */
function plant(tree: Record<string, string | ElfSample>): void {
  for (const [path, what] of Object.entries(tree)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (typeof what !== 'string') writeFileSync(join(root, path), makeElf(what), { mode: 0o755 });
    else if (what.startsWith('-> ')) symlinkSync(what.slice(3), join(root, path));
    else writeFileSync(join(root, path), what);
  }
}

const bytesOf = (bytes: Buffer) => (offset: number, length: number) => bytes.subarray(offset, offset + length);
const paths = async (...programs: string[]) => (await libraryClosure(programs, { root })).files.map(({ path }) => path);

test('programs of this machine need what ldd says they need', async () => {
  const programs = ['/usr/bin/bash', '/usr/bin/xorriso', '/usr/sbin/cryptsetup', '/usr/sbin/lvm', '/usr/bin/ssh'];
  for (const program of [...programs, '/usr/sbin/mdadm', '/usr/sbin/mkfs.xfs', '/usr/sbin/nvme', process.execPath]) {
    const said = execFileSync('ldd', [program]).toString();
    const theirs = [...said.matchAll(/(?:=> |^\t)(\/\S+) \(0x/gm)].map(([, path]) => realpathSync(path ?? ''));
    const { files, missing } = await libraryClosure([program]);
    expect(files.map(({ source }) => source).sort()).toEqual([...new Set(theirs)].sort());
    expect(missing).toEqual([]);
  }
});

test('readelf reads the same needs, names and paths', () => {
  for (const file of ['/usr/bin/xorriso', '/usr/sbin/lvm', '/lib/x86_64-linux-gnu/libc.so.6']) {
    const said = execFileSync('readelf', ['--dynamic', file]).toString();
    const named = (tag: string) =>
      [...said.matchAll(new RegExp(`\\(${tag}\\).*\\[(.*)\\]`, 'g'))].map(([, name]) => name);
    const elf = readElf(realpathSync(file));
    expect(elf?.needed).toEqual(named('NEEDED'));
    expect(elf?.soname).toEqual(named('SONAME')[0]);
  }
});

test('a static program needs nothing, a text is no ELF file, and a library may be asked for, too', async () => {
  expect(readElf('/bin/busybox')).toMatchObject({ bits: 64, machine: 62, needed: [] });
  expect(readElf('/bin/busybox')?.interpreter).toBeUndefined();
  writeFileSync(join(root, 'text'), 'hello');
  expect(readElf(join(root, 'text'))).toBeUndefined();
  const { files } = await libraryClosure(['/lib/x86_64-linux-gnu/libm.so.6']);
  expect(files.map(({ path }) => path)).toContain('/usr/lib/x86_64-linux-gnu/libc.so.6');
});

test('RUNPATH with $ORIGIN is the program’s own, RPATH also that of its libraries', async () => {
  plant({
    '/opt/a/bin/run': { needed: ['liba.so'], runpath: '$ORIGIN/../lib' },
    '/opt/a/lib/liba.so': { needed: ['libb.so'] },
    '/opt/a/lib/libb.so': {},
    '/opt/r/bin/run': { needed: ['liba.so'], rpath: '$ORIGIN/../lib' },
    '/opt/r/lib/liba.so': { needed: ['libb.so'] },
    '/opt/r/lib/libb.so': {},
    '/usr/bin/linked': '-> /opt/r/bin/run',
  });
  const runpath = await libraryClosure(['/opt/a/bin/run'], { root });
  expect(runpath.files.map(({ path }) => path)).toEqual(['/opt/a/lib/liba.so']);
  expect(runpath.missing).toEqual([{ soname: 'libb.so', via: ['/opt/a/bin/run', 'liba.so'] }]);
  expect(await paths('/opt/r/bin/run')).toEqual(['/opt/r/lib/liba.so', '/opt/r/lib/libb.so']);
  expect(await paths('/usr/bin/linked')).toEqual(['/opt/r/lib/liba.so', '/opt/r/lib/libb.so']);
});

test('ld.so.conf and its includes are searched, and what only they know gets a link every loader finds', async () => {
  plant({
    '/etc/ld.so.conf': '# first\ninclude ld.so.conf.d/*.conf\nhwcap 1 nosegneg\n/missing\n',
    '/etc/ld.so.conf.d/own.conf': '/opt/own/lib # ours\n',
    '/etc/ld.so.conf.d/loop.conf': 'include /etc/ld.so.conf\n',
    '/opt/own/lib/libown.so.1': '-> libown.so.1.2',
    '/opt/own/lib/libown.so.1.2': {},
    '/usr/lib/x86_64-linux-gnu/libc.so.6': {},
    '/usr/bin/run': { needed: ['libown.so.1', 'libc.so.6'] },
  });
  const { files, links } = await libraryClosure(['/usr/bin/run'], { root });
  expect(files.map(({ path }) => path)).toEqual(['/opt/own/lib/libown.so.1.2', '/usr/lib/x86_64-linux-gnu/libc.so.6']);
  expect(links.map(({ path, target }) => [path, target])).toEqual([
    ['/opt/own/lib/libown.so.1', 'libown.so.1.2'],
    ['/usr/lib/x86_64-linux-gnu/libown.so.1', '/opt/own/lib/libown.so.1.2'],
  ]);
});

test('32-bit programs find 32-bit libraries, whatever lies before them', async () => {
  plant({
    '/usr/lib/libx.so': { bits: 64 },
    '/usr/lib/i386-linux-gnu/libx.so': { bits: 32, machine: 3 },
    '/usr/bin/old': { bits: 32, machine: 3, needed: ['libx.so'], interpreter: '/lib/ld-linux.so.2' },
    '/usr/lib/ld-linux.so.2': { bits: 32, machine: 3 },
    '/lib': '-> usr/lib',
  });
  expect(await paths('/usr/bin/old')).toEqual(['/usr/lib/ld-linux.so.2', '/usr/lib/i386-linux-gnu/libx.so']);
});

test('.note.dlopen: required and recommended come along, the first of several names, suggestions stay', async () => {
  const note = (priority: string | undefined, ...soname: string[]) => ({
    feature: 'f',
    description: 'd',
    priority,
    soname,
  });
  const dlopen = (...notes: object[]) => ({ dlopen: JSON.stringify(notes) });
  plant({
    '/usr/lib/libone.so.1': {},
    '/usr/lib/libtwo.so.2': { needed: ['libdeep.so'] },
    '/usr/lib/libdeep.so': {},
    '/usr/lib/libmaybe.so': {},
    '/usr/bin/run': dlopen(
      note('required', 'libone.so.1'),
      note('recommended', 'libtwo.so.3', 'libtwo.so.2'),
      note('suggested', 'libmaybe.so'),
      note(undefined, 'libabsent.so'),
    ),
    '/usr/bin/needy': dlopen(note('required', 'libabsent.so', 'libnone.so')),
    '/usr/bin/odd': { dlopen: '{"not": "a list"}' },
  });
  const files = await paths('/usr/bin/run', '/usr/bin/odd');
  expect(files).toEqual(['/usr/lib/libone.so.1', '/usr/lib/libtwo.so.2', '/usr/lib/libdeep.so']);
  const { missing } = await libraryClosure(['/usr/bin/needy'], { root });
  expect(missing).toEqual([{ soname: 'libabsent.so or libnone.so', via: ['/usr/bin/needy'] }]);
});

test('every link on the way is told; places are below /usr however the machine has them', async () => {
  plant({
    '/lib64/ld-linux-x86-64.so.2': '-> ../lib/x86_64-linux-gnu/ld-2.31.so',
    '/lib/x86_64-linux-gnu/ld-2.31.so': {},
    '/lib/x86_64-linux-gnu/libz.so.1': '-> libz.so.1.3',
    '/lib/x86_64-linux-gnu/libz.so.1.3': {},
    '/bin/run': { needed: ['libz.so.1'], interpreter: LOADER },
  });
  const { files, links } = await libraryClosure(['/bin/run'], { root });
  expect(files.map(({ path, source }) => [path, source.slice(root.length)])).toEqual([
    ['/usr/lib/x86_64-linux-gnu/ld-2.31.so', '/lib/x86_64-linux-gnu/ld-2.31.so'],
    ['/usr/lib/x86_64-linux-gnu/libz.so.1.3', '/lib/x86_64-linux-gnu/libz.so.1.3'],
  ]);
  expect(links.map(({ path, target }) => `${path} -> ${target}`)).toEqual([
    '/usr/lib64/ld-linux-x86-64.so.2 -> /usr/lib/x86_64-linux-gnu/ld-2.31.so',
    '/usr/lib/x86_64-linux-gnu/libz.so.1 -> libz.so.1.3',
  ]);
});

test('links that lead nowhere or in circles are missing libraries, not hanging ones', async () => {
  plant({
    '/usr/lib/liba.so': '-> libb.so',
    '/usr/lib/libb.so': '-> liba.so',
    '/usr/lib/libc.so': '-> /nowhere',
    '/usr/lib64': '-> lib64',
    '/usr/bin/run': { needed: ['liba.so', 'libc.so'] },
  });
  const { missing } = await libraryClosure(['/usr/bin/run'], { root });
  expect(missing.map(({ soname }) => soname)).toEqual(['liba.so', 'libc.so']);
});

test('two libraries that need each other end', async () => {
  plant({
    '/usr/lib/liba.so': { needed: ['libb.so'] },
    '/usr/lib/libb.so': { needed: ['liba.so'] },
    '/usr/bin/run': { needed: ['liba.so'] },
  });
  expect(await paths('/usr/bin/run')).toEqual(['/usr/lib/liba.so', '/usr/lib/libb.so']);
});

test('a damaged file is named', () => {
  const path = join(root, 'cut');
  writeFileSync(path, readFileSync('/bin/busybox').subarray(0, 70));
  expect(() => readElf(path)).toThrow(expect.objectContaining({ code: 'elf.damaged', where: path }));
  expect(() => readElf(join(root, 'gone'))).toThrow(expect.objectContaining({ code: 'elf.unreadable' }));
});

test('no bytes make the reader throw anything but a MindiError', () => {
  const good = makeElf({
    interpreter: LOADER,
    needed: ['liba.so', 'libb.so'],
    soname: 'libself.so',
    runpath: '$ORIGIN',
    dlopen: '[{"soname":["libx.so"]}]',
  });
  expect(parseElf(bytesOf(good), 'good')).toMatchObject({ needed: ['liba.so', 'libb.so'], soname: 'libself.so' });
  const damaged = fc
    .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    .map((changes) => {
      const bytes = Buffer.from(good);
      for (const [at, byte] of changes) bytes[at] = byte;
      return bytes;
    });
  const cut = fc.nat(good.length).map((length) => good.subarray(0, length));
  const headed = fc.uint8Array({ maxLength: 400 }).map((tail) => Buffer.concat([good.subarray(0, 6), tail]));
  fc.assert(
    fc.property(fc.oneof(damaged, cut, headed), (bytes) => {
      try {
        parseElf(bytesOf(Buffer.from(bytes)), 'fuzz');
      } catch (error) {
        expect(error).toBeInstanceOf(MindiError);
      }
    }),
    { numRuns: 3000 },
  );
});
