import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { engineRun, theSnapshot } from '../../archive/engines/run.ts';
import { engineSettings } from '../../archive/engines/settings.ts';
import { emptyDirectory } from '../../archive/engines/target.ts';
import { runSettings } from '../../archive/run/settings.ts';
import { openSet } from '../../archive/set.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { type EngineName, SNAPSHOT_FILE, type SnapshotRecord } from '../../contract/snapshot.ts';
import { archiveTree, makeTree, treeDifferences } from '../archive-tree.ts';
import { certificate, listening, serveSsh } from '../boot/servers.ts';
import { freePort } from '../free-port.ts';
import { S3_KEY, serveS3 } from '../s3-server.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const work = temporaryFolder('engines');
const at = (...path: string[]) => join(work, ...path);
const tree = at('tree');
const stops: (() => void)[] = [];
const silent = { step: () => {}, progress: () => {}, note: () => {} };

/** Repositories by a name of the test's, as `archive.to` of a profile. */
const stores: Record<string, { engine: EngineName; to: object }> = {};

beforeAll(async () => {
  makeTree(tree);
  // restic of Debian 12 keeps targets of symlinks as UTF-8, borg times from 1970 to 2038.
  execFileSync('sh', ['-c', 'rm future old link*'], { cwd: tree });
  for (const name of ['s3', 'rest', 'ssh']) mkdirSync(at(name));
  writeFileSync(at('password'), 'correct horse\n', { mode: 0o600 });
  writeFileSync(
    at('credentials'),
    `[default]\naws_access_key_id = ${S3_KEY.id}\naws_secret_access_key = ${S3_KEY.secret}\n`,
    { mode: 0o600 },
  );
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('key')]);
  const [sshPort, restPort] = [await freePort(), await freePort()];
  const ssh = await serveSsh(at('key'), at('ssh'), sshPort);
  writeFileSync(at('known_hosts'), `[127.0.0.1]:${sshPort} ${ssh.publicKey}`);
  certificate('tls', 'IP:127.0.0.1', [], work);
  const s3 = await serveS3(at('s3'), ['backups'], 0, { key: at('tls.key'), certificate: at('tls.pem') });
  const rest = spawn('rclone', ['serve', 'restic', '--addr', `127.0.0.1:${restPort}`, at('rest')], { stdio: 'ignore' });
  stops.push(ssh.stop, s3.stop, () => rest.kill('SIGKILL'));
  await listening(restPort);
  const remote = `ssh -p ${sshPort} -i ${at('key')} -o UserKnownHostsFile=${at('known_hosts')} -o BatchMode=yes`;
  const passwordFile = at('password');
  const s3Environment = { AWS_SHARED_CREDENTIALS_FILE: at('credentials'), SSL_CERT_FILE: at('tls.pem') };
  Object.assign(stores, {
    restic: { engine: 'restic', to: { repository: at('restic'), passwordFile } },
    'restic by REST': { engine: 'restic', to: { repository: `rest:http://127.0.0.1:${restPort}/`, passwordFile } },
    'restic on S3': {
      engine: 'restic',
      to: { repository: `s3:https://127.0.0.1:${s3.port}/backups/web`, passwordFile, environment: s3Environment },
    },
    borg: { engine: 'borg', to: { repository: at('borg'), passwordFile } },
    rsync: { engine: 'rsync', to: { repository: at('rsync') } },
    'rsync by SSH': {
      engine: 'rsync',
      to: { repository: `root@127.0.0.1:${at('far/rsync')}`, environment: { RSYNC_RSH: remote } },
    },
    tar: { engine: 'tar', to: { repository: at('tar') } },
  });
});
afterAll(() => {
  for (const stop of stops) stop();
});

/** Writes a profile, as JSON, which is YAML. */
function profileFor(name: string, archive: object = {}): string {
  const { engine, to } = stores[name] ?? {};
  const file = at(`${name.replaceAll(' ', '-')}.yaml`);
  writeFileSync(file, JSON.stringify({ name: 'web', archive: { engine, to, include: [tree], ...archive } }));
  return file;
}

async function archived(file: string, init = false) {
  const profile = await loadProfile(file);
  const settings = engineSettings(profile, [], 'host');
  return engineRun(settings, runSettings(profile), { wait: 0, init }, silent);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

async function opened(file: string) {
  const { store, engine } = engineSettings(await loadProfile(file), [], 'host');
  return { store, engine };
}

describe.each(['restic', 'restic by REST', 'restic on S3', 'borg', 'rsync', 'rsync by SSH', 'tar'])('%s', (name) => {
  test('makes the repository when it is told to, archives, checks, and brings everything back', async () => {
    const file = profileFor(name);
    const isLocal = !name.includes(' ');
    if (isLocal) await expect(archived(file)).rejects.toThrow(/there is no/);
    const { snapshot, good, problems, files } = await archived(file, true);
    expect({ good, problems }).toEqual({ good: true, problems: [] });
    expect(files).toBeGreaterThan(15);
    const { engine, store } = await opened(file);
    if (isLocal) expect(await engine.verify(store, snapshot)).toEqual([]);
    const to = at('out', name);
    await emptyDirectory(to, false);
    expect(await engine.extract(store, snapshot, [], to)).toEqual([]);
    expect(treeDifferences(tree, join(to, tree))).toBe('');
  });
});

/** What find, and so mindi itself, would leave out; `*` matches `/` there. */
const EXCLUDED = ['*.iso', '/T/a*c', '/T/deep/*/x', '/T/q[12]', '/T/whole', '/T/name with blank', '!odd', '/T/star\\*'];
const FILES = [
  '1.iso',
  'deep/2.iso',
  'a1c',
  'ab/bc',
  'ab/d',
  'deep/x',
  'deep/1/x',
  'deep/1/2/x',
  'deep/1/y',
  'q1',
  'q3',
];
/** Of them, by the patterns and the tag. */
const LEFT_OUT = 14;
const MORE = [
  'star*',
  'starry',
  'whole/1',
  'whole2/1',
  'name with blank',
  '!odd',
  'sub/!odd',
  'sub/.keep',
  'tagged/.nobackup',
  'tagged/file',
];

test('all engines leave out the same files as mindi does', async () => {
  const small = at('small');
  for (const path of [...FILES, ...MORE]) {
    mkdirSync(join(small, path, '..'), { recursive: true });
    writeFileSync(join(small, path), path);
  }
  const exclude = EXCLUDED.map((pattern) => pattern.replace(/^\/T/, small));
  const excludeTagged = ['.nobackup'];
  const set = await archiveTree(small, at('mindi'), { exclude, excludeTagged });
  await using own = await openSet(set.set);
  const rows = own.catalog.prepare("SELECT CAST(path AS TEXT) AS path FROM members WHERE type = 'file'").all();
  // Programs keep the tag itself, so that what comes back is tagged, too; restic and mindi tell the same of it.
  const expected = rows.map(({ path }) => `/${path}`).filter((path) => !path.includes('/tagged/'));
  expect(expected).toHaveLength(FILES.length + MORE.length - LEFT_OUT);
  for (const name of ['restic', 'borg', 'rsync', 'tar']) {
    const file = profileFor(name, { include: [small], exclude, ...(name === 'rsync' ? {} : { excludeTagged }) });
    const { snapshot } = await archived(file);
    const { engine, store } = await opened(file);
    const files = (await all(engine.list(store, snapshot))).filter(({ mode }) => mode.startsWith('-'));
    const paths = files.map(({ path }) => path).sort();
    expect(paths.includes(`${small}/tagged/file`), name).toBe(name === 'rsync');
    expect(
      paths.filter((path) => !path.includes('/tagged/')),
      name,
    ).toEqual(expected.sort());
  }
});

test.each(['restic', 'borg', 'rsync', 'tar'])('%s: retention, one path back, a snapshot that is gone', async (name) => {
  const file = profileFor(name, { include: [at('small')], keep: { last: 1 } });
  const { engine, store } = await opened(file);
  const { snapshot, removed } = await archived(file);
  expect(removed).toHaveLength(2);
  const to = at('one', name);
  await emptyDirectory(to, false);
  expect(await engine.extract(store, snapshot, [at('small/sub')], to)).toEqual([]);
  expect(readdirSync(join(to, at('small')))).toEqual(['sub']);
  expect(await engine.extract(store, snapshot, [at('small/none')], to)).toHaveLength(1);
  await expect(theSnapshot(engine, store, removed[0] ?? '')).rejects.toThrow(`snapshot ${removed[0]} is not there`);
});

test.each(['rsync', 'tar'])('%s: no room, told, and the older snapshot is whole', async (name) => {
  const place = at(`full-${name}`);
  mkdirSync(place);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', place]);
  try {
    const full = `full ${name}`;
    stores[full] = { engine: name as EngineName, to: { repository: join(place, 'r') } };
    const { snapshot } = await archived(profileFor(full, { include: [at('small')] }), true);
    const file = profileFor(full);
    await expect(archived(file)).rejects.toThrow('there is no room left for the snapshot');
    const { engine, store } = await opened(file);
    expect((await engine.snapshots(store)).map(({ id }) => id)).toEqual([snapshot]);
    expect(await engine.verify(store, snapshot)).toEqual([]);
  } finally {
    execFileSync('umount', [place]);
  }
});

/** An image with what a medium says of its snapshot. */
function makeMedium(record: SnapshotRecord): void {
  mkdirSync(at('medium/mindi'), { recursive: true });
  writeFileSync(at('medium', SNAPSHOT_FILE), JSON.stringify(record));
  const quiet = { stdio: 'ignore' as const };
  execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-R', '-o', at('medium.iso'), at('medium')], quiet);
}

describe('the commands', () => {
  const mindi = (args: string[], options = {}) =>
    execa(resolve('bin/mindi'), args, { reject: false, env: { MINDI_LOG: at('log') }, ...options });

  test('archive, verify, list and extract take the profile', async () => {
    const file = profileFor('tar', { include: [at('small')], verify: true });
    const made = await mindi(['archive', file, '--json']);
    expect(JSON.parse(made.stdout)).toMatchObject({ engine: 'tar', good: true, problems: [] });
    expect(await mindi(['verify', file])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('nothing wrong'),
    });
    const listed = await mindi(['list', file, '--find', '*/whole/*', '--json']);
    expect(listed.stdout.split('\n').map((line) => JSON.parse(line).path)).toEqual([at('small/whole/1')]);
    expect((await mindi(['extract', file, '--to', at('by-hand')])).exitCode).toBe(0);
    expect(treeDifferences(at('small'), join(at('by-hand'), at('small')))).toBe('');
    expect(await mindi(['extract', file, '--to', at('by-hand')])).toMatchObject({ exitCode: 2 });
    const { engine, store } = await opened(file);
    const newest = (await engine.snapshots(store)).at(-1)?.id ?? '';
    for (const [snapshot, exitCode] of [
      [newest, 0],
      ['web-000099', 1],
    ] as const) {
      makeMedium({ format: 1, ...store, snapshot });
      expect((await mindi(['verify', file, '--medium', at('medium.iso')])).exitCode).toBe(exitCode);
    }
    makeMedium({ format: 1, ...store, repository: '/elsewhere', snapshot: newest });
    const other = await mindi(['verify', file, '--medium', at('medium.iso')]);
    expect(other).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('from somewhere else') });
    const [archive] = readdirSync(at('tar'))
      .filter((path) => path.endsWith('.zst'))
      .sort()
      .slice(-1);
    execFileSync('truncate', ['-s', '-1', at('tar', archive ?? '')]);
    expect(await mindi(['verify', file])).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('is damaged') });
  });

  test('what cannot be read is told, and exit 1; a wrong password, too', async () => {
    const closed = at('closed');
    mkdirSync(closed);
    writeFileSync(join(closed, 'secret'), 'x', { mode: 0 });
    for (const path of [work, at('tar'), closed]) chmodSync(path, 0o777);
    const file = profileFor('tar', { include: [closed] });
    const { exitCode, stderr } = await mindi(['archive', file], { uid: 65534, env: { MINDI_LOG: '/dev/null' } });
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/secret: .*Permission denied/),
    });
    writeFileSync(at('password'), 'wrong\n');
    const refused = await mindi(['archive', profileFor('restic')]);
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('not that of the repository') });
    expect(refused.stderr).not.toContain('wrong\n');
    rmSync(closed, { recursive: true });
  });
});
