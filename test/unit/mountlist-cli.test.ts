import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { captureMountlist, mountlistOf } from '../../builder/mountlist/capture.ts';
import { readHostFacts } from '../../builder/mountlist/facts.ts';
import { readMountlist, writeMountlist } from '../../builder/mountlist/file.ts';
import type { Mountlist } from '../../contract/mountlist.ts';
import { formatMountlist, parseMountlist } from '../../contract/mountlist-file.ts';

const MINDI = resolve('bin/mindi');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mindi-mountlist-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

async function mindi(args: string[], env: Record<string, string> = {}) {
  const { exitCode, stdout, stderr } = await execa(MINDI, [...args], {
    cwd: folder,
    reject: false,
    stdin: 'ignore',
    env: { MINDI_LOG: join(folder, 'mindi.log'), ...env },
  });
  return { exitCode, stdout, stderr: stripVTControlCharacters(stderr) };
}

describe('mindi makemountlist', () => {
  test('the classic option shows the table and writes the file, with directories', async () => {
    const { exitCode, stdout } = await mindi(['--makemountlist', 'new/list.txt']);
    expect(exitCode).toBe(0);
    expect(stdout.split('\n').slice(0, 3)).toEqual([
      'Your mountlist will look like this:',
      'Analyzing LVM...',
      'DEVICE          MOUNTPOINT      FORMAT          SIZE (MB)       LABEL/UUID',
    ]);
    const { entries } = parseMountlist(readFileSync(join(folder, 'new/list.txt'), 'utf8'), 'list.txt');
    expect(stdout.split('\n').slice(3)).toHaveLength(entries.length);
  });

  test('--json is the mountlist, and writes nothing without FILE', async () => {
    const { exitCode, stdout } = await mindi(['makemountlist', '--json']);
    expect(exitCode).toBe(0);
    const { mountlist, warnings } = JSON.parse(stdout);
    expect(Object.keys(mountlist)).toEqual(['entries', 'machine', 'captured']);
    expect(warnings).toEqual(expect.any(Array));
  });

  test('without FILE it asks for one', async () => {
    const { exitCode, stderr } = await mindi(['makemountlist']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('Please specify the output file');
  });

  test('--read --check judges an edited one: 1 for a problem, 2 for what is no mountlist', async () => {
    const text = '/dev/sda1 / ext4 99999999 4FFC-0001\n/dev/sda2 / ext4 99999999 4FFC-0002\n';
    writeFileSync(join(folder, 'edited'), text);
    const judged = await mindi(['makemountlist', '--read', '--check', 'edited']);
    expect(judged.exitCode).toBe(1);
    expect(judged.stdout).toContain('/ is the mountpoint of /dev/sda1 and of /dev/sda2 [mountpoint.duplicate]');
    expect(readFileSync(join(folder, 'edited'), 'utf8')).toBe(text);
    writeFileSync(join(folder, 'binary'), Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0xff, 0x0a, 0, 1]));
    const refused = await mindi(['makemountlist', '--read', 'binary']);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain('binary:1:1');
    expect(refused.stderr).not.toMatch(/\n\s+at /);
  });

  test('where no program is installed it says so and still answers', async () => {
    const PATH = join(folder, 'bin');
    mkdirSync(PATH);
    for (const needed of ['readlink', 'dirname']) symlinkSync(`/usr/bin/${needed}`, join(PATH, needed)); // by bin/mindi
    const { exitCode, stderr } = await mindi(['makemountlist', 'list'], { PATH });
    expect(exitCode).toBe(0);
    expect(stderr).toContain('warning: the program lsblk is not installed');
    expect(existsSync(join(folder, 'list'))).toBe(true);
  });
});

describe('this machine', () => {
  test('its mountlist reads back, and every mountpoint in it is mounted or in fstab', async () => {
    const facts = await readHostFacts();
    const mountlist = await captureMountlist(facts);
    expect(parseMountlist(formatMountlist(mountlist), 'm')).toEqual(mountlist);
    const known = `${facts.mountinfo}${facts.fstab}`;
    for (const { mountpoint } of mountlist.entries) {
      if (mountpoint.startsWith('/')) expect(known).toContain(mountpoint);
    }
  });

  test.each([
    ['fails', 'echo broken >&2; exit 5'],
    ['talks nonsense', 'echo "{ nonsense"'],
    ['says nothing', 'exit 0'],
  ])('a program that %s', async (_, script) => {
    for (const program of ['lsblk', 'pvs', 'lvs']) {
      writeFileSync(join(folder, program), `#!/bin/sh\n${script}\n`);
      chmodSync(join(folder, program), 0o755);
    }
    vi.stubEnv('PATH', folder);
    const facts = await readHostFacts();
    expect(mountlistOf(facts).mountlist.entries).toEqual(expect.any(Array));
    expect(Object.keys(facts.failures).sort()).toEqual(script.includes('exit 5') ? ['lsblk', 'lvs', 'pvs'] : []);
  });
});

describe('the file', () => {
  const list: Mountlist = {
    entries: [{ device: '/dev/sda1', mountpoint: '/', format: 'ext4', size: 1024 }],
    machine: 'm',
    captured: 1,
  };
  const refused = (code: string) => expect.objectContaining({ code, exitCode: 2, hint: expect.any(String) });

  test('replaces a mountlist, an empty file, and through a symlink what it points to', async () => {
    const [file, link] = [join(folder, 'list'), join(folder, 'link')];
    writeFileSync(file, '');
    await writeMountlist(file, { ...list, entries: [] });
    await writeMountlist(file, list);
    symlinkSync(file, link);
    await writeMountlist(link, { ...list, machine: 'other' });
    expect((await readMountlist(file)).machine).toBe('other');
  });

  test('leaves anything else as it is, unless told to', async () => {
    const file = join(folder, 'notes');
    writeFileSync(file, 'dear diary\n');
    await expect(writeMountlist(file, list)).rejects.toThrow(refused('mountlist.occupied'));
    await expect(writeMountlist(folder, list, true)).rejects.toThrow(refused('mountlist.occupied'));
    await expect(writeMountlist('/dev/null', list, true)).rejects.toThrow(refused('mountlist.occupied'));
    expect(readFileSync(file, 'utf8')).toBe('dear diary\n');
    await writeMountlist(file, list, true);
    expect(await readMountlist(file)).toEqual(list);
  });

  test('a place that cannot be written or read', async () => {
    mkdirSync(join(folder, 'dir'));
    writeFileSync(join(folder, 'file'), 'x');
    await expect(writeMountlist(join(folder, 'file/list'), list)).rejects.toThrow(refused('mountlist.unwritable'));
    await expect(readMountlist(join(folder, 'none'))).rejects.toThrow(refused('mountlist.unreadable'));
    await expect(readMountlist(join(folder, 'dir'))).rejects.toThrow(refused('mountlist.unreadable'));
    await expect(readMountlist('/dev/zero')).rejects.toThrow(refused('mountlist.unreadable'));
  });
});
