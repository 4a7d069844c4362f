import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadProfile, PROFILES, type Profile } from '../../builder/profile/load.ts';
import { refuseSecrets, scanForSecrets } from '../../builder/secrets/scan.ts';
import { findBusybox } from '../../builder/tools/busybox.ts';
import { checkCommand, ownFiles } from '../../builder/tools/own-files.ts';
import { resolveTools, type Tools } from '../../builder/tools/resolve.ts';
import { MindiError } from '../../contract/error.ts';
import type { MountlistEntry } from '../../contract/mountlist.ts';
import type { RescueConfig } from '../../contract/rescue-config.ts';
import type { Content, StorageDevice } from '../../contract/storage.ts';
import { matchMountlist } from '../../initramfs/other-tools/match.ts';
import { runProgram } from '../../initramfs/other-tools/program.ts';
import { restoreEnvironment } from '../../initramfs/restore-environment.ts';

const folder = mkdtempSync(join(tmpdir(), 'mindi-other-'));
afterAll(() => rmSync(folder, { recursive: true }));
process.env.MINDI_CACHE = join(folder, '.cache');

const EXAMPLES = ['borg-ssh', 'restic-rest', 'restic-s3', 'restic-sftp', 'rsync-ssh', 'tar-nfs'];
let made = 0;

/** A profile in a folder of its own with these files beside it. */
async function profile(restore: string, files: Record<string, string> = {}, more = ''): Promise<Profile> {
  const own = join(folder, `${made++}`);
  for (const [name, text] of Object.entries({ ...files, 'p.yaml': `name: p\n${more}restore:\n${restore}` })) {
    mkdirSync(dirname(join(own, name)), { recursive: true });
    writeFileSync(join(own, name), text);
    if (text.startsWith('#!')) chmodSync(join(own, name), 0o755);
  }
  return loadProfile(join(own, 'p.yaml'));
}

async function failure(work: Promise<unknown>): Promise<MindiError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof MindiError) return error;
  throw error ?? new Error('nothing failed');
}

const brought = (one: Profile): Promise<Tools> =>
  resolveTools({ sets: [], include: [], own: ownFiles(one), where: one.where });
const linesOf = (error: MindiError) =>
  (error.problems.length > 0 ? error.problems : [error]).map(
    ({ where, message, hint }) => `${where?.split(':').slice(1).join(':')} ${message} | ${hint}`,
  );

describe('the profile', () => {
  test.each(EXAMPLES)('the example %s loads, and says how it restores', async (name) => {
    const { restore, access } = await loadProfile(join(PROFILES, 'examples', `${name}.yaml`));
    expect(restore.command?.length).toBeGreaterThan(2);
    for (const at of Object.keys(restore.files).filter((one) => /password|passphrase|credentials|id_/.test(one)))
      expect(access.secrets.some((pattern) => at.startsWith(pattern.replace('*', '')))).toBe(true);
  });

  test('every mistake at its place, with what to do', async () => {
    const text = [
      '  command: restic restore latest',
      '  environment: { MINDI_TARGET: /x, 1A: b, GOOD: 1 }',
      '  warningCodes: [0]',
      '  files: { etc/x: ./x, /mnt/y: ./y }',
      '  befor: []',
    ].join('\n');
    const error = await failure(profile(`${text}\n`));
    expect(linesOf(error)).toMatchInlineSnapshot(`
      [
        "3:12 restore.command must be a list or null, not "restic restore latest" | Write a list: [restic, restore, latest]",
        "4:18 restore.environment cannot have "MINDI_TARGET" | What stands before the colon is a variable’s name; those that begin with MINDI_ are mindi’s own.",
        "4:36 restore.environment cannot have "1A" | What stands before the colon is a variable’s name; those that begin with MINDI_ are mindi’s own.",
        "4:49 restore.environment.GOOD must be text, not 1 | Put it in quotes: "1"",
        "5:18 restore.warningCodes[0]: 0 must be >= 1 | undefined",
        "6:12 restore.files cannot have "etc/x" | What stands before the colon is an absolute path on the medium, not in /dev, /proc, /sys, /run, /tmp or /mnt.",
        "6:24 restore.files cannot have "/mnt/y" | What stands before the colon is an absolute path on the medium, not in /dev, /proc, /sys, /run, /tmp or /mnt.",
        "7:3 unknown key "befor" in restore | Did you mean "before"?",
      ]
    `);
  });

  test('words of the command stay as they are, twice the same too; variables and files are inherited one by one', async () => {
    writeFileSync(
      join(folder, 'base.yaml'),
      'name: b\nrestore:\n  environment: { A: a, B: b }\n  files: { /etc/a: a, /etc/b: b }\n',
    );
    const own = await profile(
      '  command: [tar, -C, x, -C, y]\n  environment: { B: c }\n  files: { /etc/b: own }\n',
      {},
      'extends: ../base.yaml\n',
    );
    expect(own.restore.command).toEqual(['tar', '-C', 'x', '-C', 'y']);
    expect(own.restore.environment).toEqual({ A: 'a', B: 'c' });
    expect(own.restore.files).toEqual({ '/etc/a': join(folder, 'a'), '/etc/b': join(dirname(own.file), 'own') });
  });
});

describe('files and scripts', () => {
  test('lie where the profile says, scripts in their order and with their interpreter', async () => {
    const one = await profile(
      '  files: { /etc/own/x: ./x, /opt/dir: ./dir }\n  before: [./b.sh, ./a.py]\n  after: [./b.sh]\n',
      {
        x: 'text',
        'dir/inner/y': 'text',
        'b.sh': '#!/bin/sh\n',
        'a.py': '#!/usr/bin/env bash\n',
      },
    );
    const { entries } = await brought(one);
    const paths = entries.filter(({ type }) => type === 'file').map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining([
        '/etc/own/x',
        '/opt/dir/inner/y',
        '/etc/mindi/hooks/pre.d/01-b.sh',
        '/etc/mindi/hooks/pre.d/02-a.py',
        '/etc/mindi/hooks/post.d/01-b.sh',
        '/usr/bin/bash',
      ]),
    );
    expect(paths.filter((path) => path.startsWith(folder))).toEqual([]);
  });

  test('what is not there, or cannot be run, is told at once', async () => {
    const one = await profile('  files: { /etc/x: ./gone }\n  before: [./plain]\n', { plain: 'text' });
    expect(linesOf(await failure(brought(one))).map((line) => line.replaceAll(dirname(one.file), '.'))).toEqual([
      '3:20 there is no ./gone on this machine | Install it, or take it out of the profile.',
      '4:12 ./plain cannot be run: it is not executable | chmod +x ./plain',
    ]);
  });

  test('a file that only its owner may read is a secret, and so is a passphrase among the variables', async () => {
    const secret = '  files: { /etc/own/word: ./word }\n  environment: { BORG_PASSPHRASE: hunter22 }\n';
    const refused = async (more: string) => {
      const one = await profile(secret, { word: 'hunter22\n' }, more);
      chmodSync(join(dirname(one.file), 'word'), 0o600);
      const scanned = await scanForSecrets(one, await brought(one), {});
      refuseSecrets(scanned, one);
    };
    const error = await failure(refused(''));
    expect(linesOf(error).map((line) => line.split(' | ')[0])).toEqual([
      '4:16 restore.environment holds a backup passphrase',
      '3:27 /etc/own/word would be on the medium and holds what only its owner may read here (line 1)',
    ]);
    expect(JSON.stringify(error)).not.toContain('hunter22');
    await refused('access: { secrets: [/etc/own/*, restore.environment] }\n');
  });
});

describe('the command', () => {
  const check = async (restore: string) => {
    const one = await profile(restore, { 'go.sh': '#!/bin/sh\n' });
    await checkCommand(one, [await brought(one)], findBusybox());
  };

  test('is found as a program, as a file of the profile, in busybox', async () => {
    await check('  command: [/etc/own/go.sh]\n  files: { /etc/own/go.sh: ./go.sh }\n');
    await check('  command: [go]\n  files: { /usr/local/sbin/go: ./go.sh }\n');
    await check('  command: [tar, -x]\n');
    await check('  command: null\n');
  });

  test('that is not on the medium is told when it is built', async () => {
    expect(linesOf(await failure(check('  command: [restic, restore]\n')))).toEqual([
      '3:13 the program restic of restore.command is not on the medium | Add restic to tools.include, or a set that has it to tools.sets.',
    ]);
    expect(linesOf(await failure(check('  command: [/opt/x]\n')))).toEqual([
      '3:13 the program /opt/x of restore.command is not on the medium | Name it under tools.include, or bring it by restore.files: { /opt/x: ./FILE }.',
    ]);
  });
});

const content = (type: string, uuid: string, label = ''): Content => ({
  type,
  uuid,
  label,
  partitionUuid: '',
  partitionLabel: '',
});
const device = (name: string, kind: StorageDevice['kind'], what: Content | null, on: string[] = []): StorageDevice => ({
  device: name,
  name: name.replace('/dev/', ''),
  kind,
  on,
  bytes: 1e9,
  writable: false,
  array: null,
  content: what,
});
const entry = (mountpoint: string, more: Partial<MountlistEntry>): MountlistEntry => ({
  device: '/dev/sdx1',
  mountpoint,
  format: 'ext4',
  size: 1000,
  ...more,
});

describe('the mountlist on the disks that are there', () => {
  const disks = [
    device('/dev/sda1', 'partition', content('ext4', 'root-uuid', 'old')),
    device('/dev/sda2', 'partition', content('ext4', 'other-uuid', 'homes')),
    device('/dev/vg/var', 'volume', content('xfs', 'var-uuid')),
    device('/dev/sdb', 'disk', content('btrfs', 'pool')),
    device('/dev/sdc', 'disk', content('btrfs', 'pool')),
  ];

  test('by UUID, label, name of a volume; the root before what is mounted in it', () => {
    const { found, missing } = matchMountlist(
      [
        entry('/var/log', { device: '/dev/mapper/vg-var', format: 'xfs', size: 'lvm' }),
        entry('/home', { label: 'homes', uuid: 'uuid-of-a-disk-that-died' }),
        entry('/', { uuid: 'root-uuid' }),
        entry('/srv', { uuid: 'pool', format: 'btrfs' }),
        entry('swap', { format: 'swap' }),
      ],
      disks,
    );
    expect(found.map((one) => `${one.entry.mountpoint} ${one.device.device}`)).toEqual([
      '/ /dev/sda1',
      '/home /dev/sda2',
      '/srv /dev/sdb',
      '/var/log /dev/vg/var',
    ]);
    expect(missing).toEqual([]);
  });

  test('what is not there, has another format, is there twice, or may be locked is told', () => {
    const copies = [
      ...disks,
      device('/dev/sdd', 'disk', content('ext4', 'root-uuid')),
      device('/dev/sde', 'disk', content('crypto_LUKS', 'l')),
    ];
    const { found, missing } = matchMountlist(
      [entry('/', { uuid: 'root-uuid' }), entry('/var', { uuid: 'var-uuid' }), entry('/boot', {})],
      copies,
    );
    expect(found).toEqual([]);
    expect(missing.map(({ why }) => why)).toEqual([
      'The file system for / (ext4, UUID root-uuid) was found more than once: /dev/sda1 and /dev/sdd. The boot parameter excludedevs= hides a disk.',
      'The file system for /var (ext4, UUID var-uuid) was not found on any disk. It may be on /dev/sde, locked by LUKS: mindi storage unlock opens it.',
      'The file system for /boot (ext4, /dev/sdx1) was not found on any disk. It may be on /dev/sde, locked by LUKS: mindi storage unlock opens it.',
    ]);
  });
});

describe('the program', () => {
  const listen = async (words: string[]) => {
    const [progress, complaints]: [string[], string[]] = [[], []];
    const audience = {
      progress: (line: string) => progress.push(line),
      complaint: (line: string) => complaints.push(line),
    };
    const ended = await runProgram(words, folder, { MINDI_TARGET: 'x' }, audience);
    return { ...ended, progress, complaints };
  };

  test('its lines, those ended by a carriage return too, its variables, its folder and its end', async () => {
    const said = await listen([
      'sh',
      '-c',
      'printf "1 %%\\r2 %%\\n$MINDI_TARGET $PWD\\n"; echo no >&2; read -r x || exit 3',
    ]);
    expect(said).toEqual({ code: 3, how: 'exit 3: no', progress: ['1 %', '2 %', `x ${folder}`], complaints: ['no'] });
  });

  test('one that is not there, one that a signal ends', async () => {
    expect(await listen(['/no/such'])).toMatchObject({ code: 127, how: expect.stringContaining('ENOENT') });
    expect(await listen(['sh', '-c', 'kill -9 $$'])).toMatchObject({ code: 128, how: 'ended by SIGKILL' });
  });
});

test('variables: the contract holds, the profile’s give way to a shell’s, PATH does not', () => {
  const config = {
    name: 'web01',
    machine: 'web01.example.org',
    ownRestore: {
      command: ['x'],
      environment: { REPOSITORY: 'profile', PATH: '/opt/bin', OTHER: 'o' },
      warningCodes: [],
    },
  } as unknown as RescueConfig;
  const env = restoreEnvironment({ config, mode: 'nuke', medium: null }, { REPOSITORY: 'shell', PATH: '/usr/bin' });
  expect(env).toMatchObject({
    REPOSITORY: 'shell',
    PATH: '/opt/bin',
    OTHER: 'o',
    HOME: '/root',
    MINDI_MODE: 'nuke',
    MINDI_MEDIUM: '',
    MINDI_MACHINE: 'web01.example.org',
    MINDI_TARGET: '/mnt/RESTORING',
  });
  const documented = readFileSync('docs/other-backup-tools.md', 'utf8');
  for (const name of Object.keys(env).filter((one) => one.startsWith('MINDI_')))
    expect(documented).toContain(`\`${name}\``);
});
