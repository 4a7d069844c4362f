import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withEngine } from '../../archive/engines/medium.ts';
import { storeOf } from '../../archive/engines/settings.ts';
import { takeKernel } from '../../boot/bootable.ts';
import { type Machine, startMachine } from '../../boot/qemu.ts';
import { build } from '../../builder/build.ts';
import { loadProfile, type Profile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { PATHS } from '../../contract/rescue-config.ts';
import { freePort } from '../free-port.ts';
import { S3_KEY, serveS3 } from '../s3-server.ts';
import { serveNfs } from './ganesha.ts';
import { certificate, HOST, listening, type SshServer, serveSsh } from './servers.ts';
import { CONSOLES, PATIENCE, shell } from './shell.ts';

/**
 * One machine that nobody is asked at restores itself by restic from S3, as archive.engine of its profile says; then the
 * example profiles' commands restore from its shell. What each restored is compared on the host afterwards.
 */
const EXAMPLES = resolve(import.meta.dirname, '../../profiles/examples');
const TOOLS = ['s3', 'rest', 'sftp', 'borg', 'tar', 'rsync'] as const;
const PASSWORD = 'correct,horse';
const ROOT_UUID = '5f0c2a3e-1111-4222-8333-444455556666';

/** Seconds: borg, which is Python, starts twice and takes half a minute for it on an emulated machine that is not busy. */
const LONG = 3 * PATIENCE;

let work: Scratch;
let machine: Machine;
let ssh: SshServer;
let ports: Record<'s3' | 'rest' | 'ssh' | 'nfs', number>;
const stops: (() => void)[] = [];
const at = (...path: string[]) => join(work.path, ...path);

/** What one tool backs up: files in the root and below /home, which is a file system of its own. */
function makeTree(tool: string): void {
  const [own, home] = [at('trees', tool, tool), at('trees', tool, 'home', tool)];
  for (const folder of [own, home]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(own, 'file'), randomBytes(300_000));
  writeFileSync(join(own, 'a name with blanks'), tool);
  chmodSync(join(own, 'a name with blanks'), 0o640);
  symlinkSync('file', join(own, 'link'));
  writeFileSync(join(home, 'file'), randomBytes(10_000));
}

/** Every path below a folder with what it is. */
function contents(folder: string): Record<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    paths.map((path) => {
      const file = join(folder, path);
      const { mode } = lstatSync(file);
      const isFile = lstatSync(file).isFile();
      const hash = isFile ? createHash('sha256').update(readFileSync(file)).digest('hex') : '';
      return [path, `${mode.toString(8)} ${hash}`];
    }),
  );
}

/** Runs a backup tool on this machine, in a tree's folder. */
function backUp(tool: string, words: string[], env: Record<string, string> = {}): void {
  const [program = '', ...args] = words;
  execFileSync(program, args, {
    cwd: at('trees', tool),
    env: { ...process.env, HOME: at('home'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function startServers(): Promise<void> {
  ports = { s3: 0, rest: await freePort(), ssh: await freePort(), nfs: await freePort() };
  for (const name of ['s3', 'rest', 'ssh', 'nfs', 'share', 'home', 'repositories']) mkdirSync(at(name));
  certificate('tls', `IP:127.0.0.1,IP:${HOST}`, [], work.path);
  const tls = { key: at('tls.key'), certificate: at('tls.pem') };
  const s3 = await serveS3(at('s3'), ['backups'], 0, tls);
  ports.s3 = s3.port;
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', at('key')]);
  ssh = await serveSsh(at('key'), at('ssh'), ports.ssh);
  const rest = spawn('rclone', ['serve', 'restic', '--addr', `127.0.0.1:${ports.rest}`, at('rest')], {
    stdio: 'ignore',
  });
  stops.push(s3.stop, ssh.stop, () => rest.kill('SIGKILL'));
  await listening(ports.rest);
  stops.push(await serveNfs(at('share'), 4, ports.nfs, at('nfs')));
}

const addresses = (host: string) => ({
  s3: `s3:https://${host}:${ports.s3}/backups/web01`,
  rest: `rest:http://${host}:${ports.rest}/`,
  sftp: `sftp://root@${host}:${ports.ssh}/${at('repositories/restic')}`,
  borg: `ssh://root@${host}:${ports.ssh}${at('repositories/borg')}`,
});

function makeBackups(): void {
  writeFileSync(at('restic-password'), PASSWORD, { mode: 0o600 });
  writeFileSync(
    at('s3-credentials'),
    `[default]\naws_access_key_id = ${S3_KEY.id}\naws_secret_access_key = ${S3_KEY.secret}\n`,
    { mode: 0o600 },
  );
  writeFileSync(at('known_hosts'), `[${HOST}]:${ports.ssh} ${ssh.publicKey}`);
  const here = addresses('127.0.0.1');
  const repositories = { s3: here.s3, rest: here.rest, sftp: at('repositories/restic') };
  for (const [tool, repository] of Object.entries(repositories)) {
    const env = {
      RESTIC_REPOSITORY: repository,
      RESTIC_PASSWORD_FILE: at('restic-password'),
      AWS_SHARED_CREDENTIALS_FILE: at('s3-credentials'),
      SSL_CERT_FILE: at('tls.pem'),
    };
    backUp(tool, ['restic', 'init'], env);
    backUp(tool, ['restic', 'backup', '--host', 'web01', '--tag', 'mindi-medium', '.'], env);
  }
  const borg = { BORG_REPO: at('repositories/borg'), BORG_PASSPHRASE: PASSWORD };
  backUp('borg', ['borg', 'init', '--encryption', 'repokey'], borg);
  backUp('borg', ['borg', 'create', '::web01', '.'], borg);
  backUp('tar', ['tar', '--create', '--zstd', `--file=${at('share/web01.tar.zst')}`, '.']);
}

/** Two disks of the machine, the second one empty, and one that must not be touched. */
function makeDisks(): string[] {
  const disks = ['root', 'home', 'other'].map((name) => at(`${name}.img`));
  for (const disk of disks) {
    writeFileSync(disk, '');
    truncateSync(disk, 64 << 20);
  }
  for (const [i, words] of [['-U', ROOT_UUID], [], ['-L', 'other']].entries())
    if (i !== 1) execFileSync('mkfs.ext4', ['-q', ...words, disks[i] ?? '']);
  // Other names than the machine will have: they mean nothing.
  writeFileSync(
    at('mountlist.txt'),
    `# machine: web01\n/dev/sdx1 / ext4 65536 ${ROOT_UUID}\n/dev/mapper/old-home /home ext4 lvm homes\n/dev/sdx2 swap swap 65536\n`,
  );
  return disks;
}

/** Makes a volume for /home, once, and leaves its disk guarded as those of a machine that was just started. */
const PARTITION = `[ -e /run/before ] && exit
env | grep -c ^MINDI_ >/run/before
mindi storage writable /dev/vdb --yes
pvcreate -q /dev/vdb && vgcreate -q store /dev/vdb && lvcreate -q -y -n homes -l 100%FREE store || exit
mkfs.ext4 -q -L homes /dev/store/homes && vgchange -q -an store || exit
: >/run/mindi/writable
blockdev --setro /dev/vdb
`;
/** Where LVM begins the only volume of a disk. */
const VOLUME_START = 1 << 20;

const script = (name: string, text: string) => writeFileSync(at(name), `#!/bin/sh\n${text}`, { mode: 0o755 });

async function makeMedium(): Promise<string> {
  script('partition.sh', PARTITION);
  script('finish.sh', 'env | grep ^MINDI_ | sort >"$MINDI_TARGET/contract"\n');
  writeFileSync(
    at('medium.yaml'),
    `name: medium
tools: { sets: [..., borg] }
mountlist: { file: mountlist.txt }
archive:
  engine: restic
  to:
    repository: '${addresses(HOST).s3}'
    passwordFile: restic-password
    environment: { AWS_SHARED_CREDENTIALS_FILE: ./s3-credentials, SSL_CERT_FILE: ./tls.pem }
restore:
  warningCodes: [9]
  files:
    /etc/mindi/restic/password: restic-password
    /etc/mindi/restic/credentials: s3-credentials
    /etc/mindi/borg/passphrase: restic-password
    /root/.ssh/id_ed25519: key
    /root/.ssh/known_hosts: known_hosts
  before: [partition.sh]
  after: [finish.sh]
access: { secrets: [..., /etc/mindi/engine/*, /etc/mindi/restic/*, /etc/mindi/borg/*, /root/.ssh/*] }
`,
  );
  const profile = await loadProfile(at('medium.yaml'));
  const medium = withEngine(profile, storeOf(profile, 'web01'), null, (text) => {
    throw new Error(text);
  });
  const { media } = await build(medium, at('out'));
  return media[0]?.path ?? '';
}

let untouched: string;
beforeAll(async () => {
  work = await scratch('test');
  for (const tool of TOOLS) makeTree(tool);
  await startServers();
  makeBackups();
  const drives = makeDisks();
  untouched = sha256(at('other.img'));
  const image = await makeMedium();
  machine = await startMachine({
    direct: { ...(await takeKernel(image, work.path)), append: `${CONSOLES} nuke` },
    medium: { path: image, as: 'cdrom' },
    drives: drives.map((disk) => `${disk}:virtio`),
    memory: 768,
  });
});
afterAll(async () => {
  await machine?.stop();
  for (const stop of stops) stop();
  await work?.[Symbol.asyncDispose]();
});

const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
const quoted = (word: string) => `'${word.replaceAll("'", String.raw`'\''`)}'`;

/** Runs the command of an example in the machine's shell, with its variables, but for addresses. */
async function restoreBy(example: string, change: Record<string, string>): Promise<string> {
  const { restore }: Profile = await loadProfile(join(EXAMPLES, `${example}.yaml`));
  const changed = (text: string) => change[text] ?? text;
  const variables = Object.entries(restore.environment).map(([name, value]) => `${name}=${quoted(changed(value))}`);
  const words = (restore.command ?? []).map((word) => quoted(changed(word)));
  const line = [...variables, 'mindi restore --yes', ...words, '2>&1; echo "exit $?"'].join(' ');
  return shell(machine, line, LONG);
}

test('nuke mode restores by restic from S3, between the scripts of the profile, and asks nobody', async () => {
  await machine.waitForText('restoring by restic', 2 * PATIENCE);
  await machine.waitForText('the restore is done', 2 * PATIENCE);
  expect(machine.text).not.toContain('PROBLEM');
  await machine.waitForText(/s {2}Shell/, PATIENCE);
  machine.type('s');
  await machine.waitForText(/mindi:~# $/m, PATIENCE);
  expect(await shell(machine, 'cat /run/before')).toBe('7');
  expect(await shell(machine, 'cat /mnt/RESTORING/contract')).toBe(
    [
      'MINDI_MACHINE=web01',
      'MINDI_MEDIUM=/dev/sr0',
      'MINDI_MODE=nuke',
      'MINDI_MOUNTLIST=/etc/mindi/mountlist.txt',
      'MINDI_NAME=medium',
      'MINDI_SOURCE=',
      'MINDI_TARGET=/mnt/RESTORING',
    ].join('\n'),
  );
  expect(await shell(machine, `dmesg | cat - /var/log/mindi.log | grep -c ${PASSWORD}`)).toBe('0');
});

test('the examples restore in a shell', async () => {
  const guest = addresses(HOST);
  // What nuke mode restored, out of the way of what the example does: compared at the end, too.
  for (const folder of ['/mnt/RESTORING', '/mnt/RESTORING/home'])
    expect(await shell(machine, `mv ${folder}/s3 ${folder}/nuke; echo $?`)).toBe('0');
  expect(await restoreBy('restic-s3', { 's3:https://s3.example.org/backups/web01': guest.s3 })).toMatch(/exit 0$/);
  expect(await restoreBy('restic-rest', { 'rest:https://backup.example.org:8000/web01': guest.rest })).toMatch(
    /exit 0$/,
  );
  expect(await restoreBy('restic-sftp', { 'sftp://backup@backup.example.org//srv/restic/web01': guest.sftp })).toMatch(
    /exit 0$/,
  );
  expect(await restoreBy('borg-ssh', { 'ssh://backup@backup.example.org/srv/borg/web01': guest.borg })).toMatch(
    /exit 0$/,
  );
  expect(await shell(machine, `mindi source nfs://${HOST}:${ports.nfs}/netboot 2>&1`)).toContain('/run/mindi/source');
  expect(await restoreBy('tar-nfs', {})).toMatch(/exit 0$/);
  expect(
    await restoreBy('rsync-ssh', {
      'backup@backup.example.org:/srv/rsync/web01/': `root@${HOST}:${at('trees/rsync')}/`,
      'ssh -o BatchMode=yes': `ssh -o BatchMode=yes -p ${ports.ssh}`,
    }),
  ).toMatch(/exit 0$/);
}, 900_000);

test('exit codes, questions, and file systems that are not there', async () => {
  const restore = (words: string) => shell(machine, `mindi restore ${words} 2>&1; echo "exit $?"`);
  expect(await restore('--yes sh -c "echo no >&2; exit 3"')).toMatch(/The restore by sh failed: exit 3\.\nexit 1$/);
  expect(await restore('--yes sh -c "exit 9"')).toMatch(/is done, with warnings: exit 9\.[\s\S]*exit 0$/);
  expect(await restore('true </dev/null')).toMatch(/Nobody is asked in this mode: true will write[\s\S]*exit 1$/);
  expect(
    await shell(machine, 'umount /mnt/RESTORING/home; tune2fs -L others /dev/store/homes >/dev/null; echo $?'),
  ).toBe('0');
  expect(await restore('--yes touch x')).toMatch(
    /The file system for \/home \(ext4, label homes\) was not found on any disk\.[\s\S]*exit 1$/,
  );
  expect(
    await shell(machine, 'ls /mnt/RESTORING/x 2>&1; tune2fs -L homes /dev/store/homes >/dev/null; echo $?'),
  ).toMatch(/No such file or directory\n0$/);
});

test('the menu offers it and asks before anything is written', async () => {
  machine.type('exit\r');
  await machine.waitForText(/mindi:~# exit[\s\S]*Restore this machine +by restic[\s\S]*Alt-F4 the log/, PATIENCE);
  machine.type('r');
  await machine.waitForText(/restic will write to this machine's disks: \/home \(ext4, label homes\) on/, PATIENCE);
  machine.type('1');
  await machine.waitForText('Nothing is restored: that was not wanted.', PATIENCE);
});

test('nuke mode whose command fails: its reason, and what mindi.onfail says', async () => {
  machine.type('\r');
  await machine.waitForText(/that was not wanted\.[\s\S]*Alt-F4 the log/, PATIENCE);
  machine.type('s');
  await machine.waitForText(/'exit' goes back to the menu[\s\S]*mindi:~# $/, PATIENCE);
  await shell(machine, 'kill -9 $(cat /run/mindi/init.pid)');
  await machine.waitForText('The init was ended by signal 9', PATIENCE);
  // Started again, as if by another medium and with other parameters.
  const { config } = PATHS;
  const other = `const fs = require("fs"); const config = JSON.parse(fs.readFileSync("${config}", "utf8")); config.ownRestore.command = ["sh", "-c", "echo gone >&2; exit 3"]; fs.writeFileSync("${config}", JSON.stringify(config))`;
  await shell(machine, `echo '${other}' >/tmp/other.cjs; /usr/lib/mindi/runtime /tmp/other.cjs`);
  const cover =
    "sed 's/$/ mindi.onfail=poweroff/' /proc/cmdline >/tmp/cmdline; mount --bind /tmp/cmdline /proc/cmdline";
  await shell(machine, `${cover}; mindi-init`);
  await machine.waitForText('PROBLEM: The restore by sh failed: exit 3: gone.', PATIENCE);
  await machine.waitForEnd(PATIENCE);
  expect(machine.endedBy).toBe('guest-shutdown');
});

test('what was restored is what was backed up; a disk that is not in the mountlist is as it was', async () => {
  writeFileSync(at('home.img'), readFileSync(at('home.img')).subarray(VOLUME_START));
  for (const name of ['root', 'home']) {
    mkdirSync(at('back', name), { recursive: true });
    execFileSync('debugfs', ['-R', `rdump / ${at('back', name)}`, at(`${name}.img`)], { stdio: 'ignore' });
  }
  for (const tool of TOOLS) {
    expect(contents(at('back/root', tool)), tool).toEqual(contents(at('trees', tool, tool)));
    expect(contents(at('back/home', tool)), tool).toEqual(contents(at('trees', tool, 'home', tool)));
  }
  expect(contents(at('back/root/nuke'))).toEqual(contents(at('trees/s3/s3')));
  expect(contents(at('back/home/nuke'))).toEqual(contents(at('trees/s3/home/s3')));
  expect(sha256(at('other.img'))).toBe(untouched);
});
