import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { globTest } from '../../archive/engines/glob.ts';
import { withEngine } from '../../archive/engines/medium.ts';
import { completeOnes, keptOnes, nextId } from '../../archive/engines/numbered.ts';
import { globs } from '../../archive/engines/restic.ts';
import { engineSettings, storeOf } from '../../archive/engines/settings.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { MindiError } from '../../contract/error.ts';
import { parseMountinfo } from '../../contract/mounts.ts';
import { parseSnapshotRecord, type SnapshotRecord } from '../../contract/snapshot.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const work = temporaryFolder('engines');
const at = (name: string) => join(work, name);
writeFileSync(at('password'), 'correct horse\n');
writeFileSync(at('credentials'), 'key\n');
chmodSync(at('credentials'), 0o600);
writeFileSync(at('ca.pem'), 'public\n');

async function profileOf(archive: object, more: object = {}) {
  writeFileSync(at('web.yaml'), JSON.stringify({ name: 'web', archive, ...more }));
  return loadProfile(at('web.yaml'));
}

const RESTIC = {
  engine: 'restic',
  include: ['/srv'],
  to: {
    repository: 's3:https://s3.example.org/web',
    passwordFile: './password',
    environment: { AWS_SHARED_CREDENTIALS_FILE: './credentials', SSL_CERT_FILE: './ca.pem', GOMAXPROCS: '2' },
  },
};

/** The profile of a medium that restores by the engine, and what was noted. */
async function medium(archive: object, more: object = {}, id: string | null = null) {
  const notes: string[] = [];
  const profile = await profileOf(archive, more);
  return { ...withEngine(profile, storeOf(profile, 'host'), id, (text) => notes.push(text)), notes };
}

describe('the medium', () => {
  test('restores the snapshot by the engine; secrets are not on it', async () => {
    const { restore, tools, network, notes } = await medium(RESTIC, {}, 'abc123');
    expect(restore).toMatchObject({
      command: ['restic', 'restore', 'abc123', '--target', '/mnt/RESTORING', '--no-cache'],
      environment: {
        RESTIC_REPOSITORY: 's3:https://s3.example.org/web',
        SSL_CERT_FILE: '/etc/mindi/engine/SSL_CERT_FILE',
        GOMAXPROCS: '2',
      },
      files: { '/etc/mindi/engine/SSL_CERT_FILE': at('ca.pem') },
    });
    expect(Object.keys(restore.environment)).toHaveLength(3);
    expect(tools.sets).toContain('restic');
    expect(network.ip).toBe('dhcp');
    expect(notes.join('\n')).toMatch(/password is not on the medium[\s\S]*credentials is not on the medium/);
  });

  test('but where access.secrets names them', async () => {
    const { restore, notes } = await medium(RESTIC, { access: { secrets: ['/etc/mindi/engine/*'] } });
    expect(notes).toEqual([]);
    expect(restore.command?.slice(0, 5)).toEqual(['restic', 'restore', 'latest', '--host=host', '--tag=mindi-web']);
    expect(restore.environment).toMatchObject({ RESTIC_PASSWORD_FILE: '/etc/mindi/engine/password' });
    expect(restore.files).toMatchObject({ '/etc/mindi/engine/AWS_SHARED_CREDENTIALS_FILE': at('credentials') });
  });

  test('of borg, rsync and tar', async () => {
    const own = {
      restore: { environment: { BORG_REPO: 'mine' } },
      access: { secrets: ['/etc/mindi/engine/password'] },
    };
    const to = { repository: 'ssh://backup@b.example.org/srv/borg', passwordFile: './password' };
    const borg = await medium({ engine: 'borg', include: ['/srv'], to }, own, 'host-web-2026');
    expect(borg.restore).toMatchObject({
      command: ['borg', 'extract', '--numeric-ids', '::host-web-2026'],
      environment: { BORG_REPO: 'mine', BORG_PASSCOMMAND: "cat '/etc/mindi/engine/password'" },
      warningCodes: [1],
    });
    const far = { engine: 'rsync', include: ['/srv'], to: { repository: 'backup@b.example.org:/srv/' } };
    expect((await medium(far, {}, 'web-000007')).restore.command?.slice(-2)).toEqual([
      'backup@b.example.org:/srv/web-000007/',
      '/mnt/RESTORING/',
    ]);
    const nas = { engine: 'tar', include: ['/srv'], to: { repository: './nas' } };
    const tar = await medium(nas, { restore: { source: 'usb:' } });
    expect(tar.restore.source).toBe('usb:');
    expect(tar.restore.command?.slice(3, 6)).toEqual([
      'sh',
      expect.stringMatching(/^\/run\/mindi\/source\/.*nas\/web-\[0-9\]\*\.tar\*$/),
      '--extract',
    ]);
    expect(tar.network.ip).toBe('none');
    const local = { engine: 'borg', include: ['/srv'], to: { repository: './nas' } };
    expect((await medium(local)).restore.command?.join(' ')).toMatch(/^sh -c exec borg --bypass-lock extract .*list/);
  });

  test('a command of the profile’s own stays', async () => {
    const { restore } = await medium(RESTIC, { restore: { command: ['my-restore'] } });
    expect(restore).toMatchObject({ command: ['my-restore'], files: {} });
  });
});

describe('settings', () => {
  const problems = async (archive: object) => {
    const profile = await profileOf(archive);
    try {
      engineSettings(profile, [], 'host');
    } catch (error) {
      if (!(error instanceof MindiError)) throw error;
      return (error.problems.length > 0 ? error.problems : [error]).map(({ message }) => message);
    }
    return [];
  };

  test('what an engine cannot do is told, all of it', async () => {
    expect(await problems(RESTIC)).toEqual([]);
    const to = { repository: '/bkp' };
    const wishes = { excludeTagged: ['.nobackup'], excludeLargerThan: '4G', excludeOlderThan: '1y', volume: '700m' };
    const own = {
      differential: '7d',
      consistency: 'snapshot',
      parity: '10%',
      encryption: { passphraseFile: at('password') },
    };
    expect(await problems({ engine: 'rsync', to, ...wishes, ...own })).toEqual([
      'rsync cannot do what archive.excludeTagged says',
      'rsync cannot do what archive.excludeOlderThan says',
      'the profile does not say what to archive',
      "archive.consistency is for mindi's own sets, and rsync archives",
      "archive.differential is for mindi's own sets, and rsync archives",
      "archive.volume is for mindi's own sets, and rsync archives",
      "archive.encryption is for mindi's own sets, and rsync archives",
      "archive.parity is for mindi's own sets, and rsync archives",
    ]);
    expect(await problems({ engine: 'tar', include: ['/'], to: { directory: '/bkp' } })).toEqual([
      'the profile does not say where tar keeps its snapshots',
    ]);
    const missing = { engine: 'borg', include: ['/'], to: { repository: '/bkp', passwordFile: '/not/there' } };
    expect((await problems(missing)).join()).toMatch(/password cannot be read/);
  });

  test('file systems of servers and bind mounts are left out', async () => {
    const lines = ['20 1 8:1 / / rw - ext4 /dev/sda1 rw', '21 20 8:1 /srv /b* rw - ext4 /dev/sda1 rw'];
    const mounts = parseMountinfo(
      [...lines, '22 20 8:2 / /home rw - xfs /dev/sda2 rw', '23 20 0:9 / /n rw - nfs4 s:/ rw'].join('\n'),
    );
    const { source } = engineSettings(await profileOf({ ...RESTIC, include: ['/'] }), mounts, 'host');
    expect(source).toMatchObject({ roots: ['/', '/home'], exclude: ['/b\\*/*'] });
  });
});

test('globs of restic, where * does not match a slash', () => {
  expect(globs('*.iso')).toEqual(['*.iso']);
  expect(globs('!odd')).toEqual(['\\!odd']);
  expect(globs('/home/*/tmp')).toEqual(['/home/*/tmp', '/home/*/**/*/tmp']);
  expect(globs('/b\\*/x*')).toEqual(['/b\\*/x*', '/b\\*/x*/**/*']);
  expect(globs('/a*c')).toEqual(['/a*c', '/a*/**/*c']);
});

test('globs of mindi list', () => {
  expect(['/srv/a.iso', '/srv/a/b.iso', '/a.is'].filter(globTest('*.iso'))).toEqual(['/srv/a.iso', '/srv/a/b.iso']);
  expect(['/srv/a/b', '/x/srv/a/b'].filter(globTest('srv/*b'))).toEqual(['/srv/a/b']);
});

test('numbered snapshots: complete ones, the next, what retention keeps', () => {
  const day = (n: number) => `2026-01-${String(n).padStart(2, '0')}T12:00:00.000Z`;
  const names = [
    'web-000002',
    'web-000010',
    'web-000001.tar.zst',
    'other-000009.json',
    'web-x.json',
    'web-000003.json.part',
  ];
  const marks = [1, 2, 10].map((n) => ({ name: `web-${String(n).padStart(6, '0')}.json`, time: day(n) }));
  const there = completeOnes('web', [...names.map((name) => ({ name, time: day(1) })), ...marks]);
  expect(there.map(({ id }) => id)).toEqual(['web-000001', 'web-000002', 'web-000010']);
  expect(nextId('web', there)).toBe('web-000011');
  expect(nextId('web', [])).toBe('web-000001');
  expect([...keptOnes('web', 'host', there, { last: 1, weekly: 2 })].sort()).toEqual(['web-000002', 'web-000010']);
});

test('the record on a medium: nothing of it can be an option, a path, or move the cursor', () => {
  const record: SnapshotRecord = {
    format: 1,
    engine: 'restic',
    repository: '/r',
    name: 'web',
    machine: 'h',
    snapshot: 'a1',
  };
  expect(parseSnapshotRecord(JSON.stringify(record))).toEqual(record);
  expect(parseSnapshotRecord(JSON.stringify({ ...record, snapshot: null }))).not.toBeNull();
  for (const wrong of [
    { snapshot: '--option' },
    { snapshot: '../x' },
    { name: '\u001b[2J' },
    { engine: 'sh' },
    { format: 2 },
  ])
    expect(parseSnapshotRecord(JSON.stringify({ ...record, ...wrong }))).toBeNull();
  fc.assert(fc.property(fc.string(), (text) => void parseSnapshotRecord(text)));
  fc.assert(fc.property(fc.json(), (text) => void parseSnapshotRecord(text)));
});
