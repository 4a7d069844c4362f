import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { takeKernel } from '../../boot/bootable.ts';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { VOLUME_FILE, type Volume } from '../../contract/volume.ts';
import { S3_KEY } from '../s3-server.ts';
import { certificate, HOST, LOGINS, TARGET } from './servers.ts';
import type { LabCall, LabStart } from './servers-lab.ts';
import { CONSOLES } from './shell.ts';

/**
 * One machine that is started with an NFS source whose server comes late, and then opens all others: servers-lab.ts. Its
 * medium has an authority of its own, a key for SSH and anna's password; berta's is on a USB stick.
 */
const WEB01: Volume = {
  format: 1,
  set: 'web01-a',
  number: 1,
  of: 1,
  machine: 'web01',
  created: '2026-03-01T12:00:00Z',
};

let work: Scratch;
let lab: ChildProcess;
let start: LabStart;
let payload: string;
let disk: string;
let answers: AsyncIterator<string>;
const at = (...path: string[]) => join(work.path, ...path);
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function makeShare(): Promise<void> {
  const bytes = randomBytes(3 << 20);
  payload = sha256(bytes);
  await mkdir(at('share', 'mindi'), { recursive: true });
  await mkdir(at('share', 'empty'));
  await writeFile(at('share', VOLUME_FILE), JSON.stringify(WEB01));
  await writeFile(at('share', 'payload'), bytes);
  // Guests of the Windows share, too, read it.
  await chmod(work.path, 0o755);
}

async function makeMedium(): Promise<string> {
  certificate('ca', '', [], work.path);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('key')]);
  await writeFile(at('password'), `${LOGINS.anna}\n`);
  const profile = `name: medium
extends: standalone
mountlist: none
tools: { sets: [..., iscsi] }
network: { authorities: [./ca.pem] }
restore: { source: "sftp://${HOST}/", passwordFile: ./password, keyFile: ./key }
access: { secrets: [restore.passwordFile, restore.keyFile] }
`;
  await writeFile(at('medium.yaml'), profile);
  const { media } = await build(await loadProfile(at('medium.yaml')), at('out'));
  return media[0]?.path ?? '';
}

beforeAll(async () => {
  work = await scratch('test');
  await makeShare();
  const image = await makeMedium();
  const { kernel, initrd } = await takeKernel(image, work.path);
  const append = `${CONSOLES} textonly net mindi.source=nfs://${HOST}/share udevtimeout=15`;
  const script = join(import.meta.dirname, 'servers-lab.ts');
  // All it starts ends with it.
  const own = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const words = [process.execPath, '--conditions=source', script, work.path, image, kernel, initrd, append];
  lab = spawn('unshare', [...own, ...words], { stdio: ['pipe', 'pipe', 'inherit'] });
  if (lab.stdout) answers = createInterface({ input: lab.stdout })[Symbol.asyncIterator]();
  start = JSON.parse((await answers.next()).value) as LabStart;
  disk = sha256(await readFile(at('servers/lun1.img')));
});
afterAll(async () => {
  if (lab?.exitCode === null) {
    lab.kill('SIGKILL');
    await once(lab, 'close');
  }
  await work?.[Symbol.asyncDispose]();
});

async function call(what: LabCall): Promise<string> {
  lab.stdin?.write(`${JSON.stringify(what)}\n`);
  return JSON.parse((await answers.next()).value);
}
const shell = (command: string) => call({ shell: command });
const type = (text: string, until: string) => call({ type: `${text}\r`, until });
/** Where nobody can be asked. */
const mindi = (words: string) => shell(`mindi source ${words} </dev/null 2>&1`);
/** From now on, whatever was added before. */
const bootedWith = (more: string) =>
  shell(
    `umount /proc/cmdline 2>/dev/null; sed 's|$| ${more}|' /proc/cmdline >/tmp/cmdline; mount --bind /tmp/cmdline /proc/cmdline`,
  );

const SHA256 = 'sha256sum /run/mindi/source/payload | cut -d" " -f1';
const OPENED = 'volume 1 of 1 of web01';

/** An address whose data are mounted. */
async function opens(address: string): Promise<void> {
  expect(await mindi(`'${address}'`)).toContain(OPENED);
  expect(await shell(SHA256)).toBe(payload);
  expect(await shell('touch /run/mindi/source/x 2>&1')).toContain('Read-only file system');
}

/** An address whose files are read one by one. */
async function gives(address: string): Promise<void> {
  expect(await mindi(`'${address}'`)).toContain(OPENED);
  expect(await shell(`mindi source '${address}' --read payload 2>/dev/null | sha256sum | cut -d" " -f1`)).toBe(payload);
}

test('NFS from the command line, whose server comes late, is open at the ready line', async () => {
  const { problems, source } = start.report;
  expect(problems).toEqual([]);
  const address = `nfs://${HOST}/share`;
  expect(source).toEqual({ address, path: '/run/mindi/source', volumes: [WEB01], failure: null });
});

test('the menu: a server that is not there, and then it is', async () => {
  await type('o', 'Where are the restore data[\\s\\S]*: $');
  await type('7', 'The address of the restore data.*: $');
  await type(`http://${HOST}:8081`, '1 {2}Try again\\n.*2 {2}Another address\\n.*3 {2}Go on without[\\s\\S]*: $');
  await call({ serve: 8081 });
  await type('1', `http://${HOST}:8081[\\s\\S]*Number.*: $`);
});

test('the menu offers what a stick says: an iSCSI disk, with its password', async () => {
  await type('o', `1 {2}As the profile says[\\s\\S]*: $`);
  await type('1', `${TARGET}:closed on ${HOST}[\\s\\S]*Number.*: $`);
  await type('s', 'mindi:~# $');
  await bootedWith('udevtimeout=1');
  expect(await shell(SHA256)).toBe(payload);
});

test('a server that goes away: a sentence, and nothing is written to any disk', async () => {
  await gives(`http://${HOST}:8081`);
  await call({ end: 8081 });
  expect(await mindi(`http://${HOST}:8081 --read payload`)).toContain('it refuses connections');
  expect(await call({ untouched: true })).toBe('true');
});

describe('sources that are mounted', () => {
  test('NFS by version 3', async () => {
    await opens(`nfs://${HOST}/share?vers=3`);
    expect(await mindi(`nfs://${HOST}/share/empty`)).toContain('is an empty directory.');
    expect(await mindi(`nfs://${HOST}/nowhere`)).toMatch(/cannot be opened: .*\nCheck the path/);
  });

  test('a Windows share as guest, and with the password of the medium', async () => {
    await opens(`smb://${HOST}/share`);
    await opens(`smb://anna@${HOST}/closed`);
    expect(await mindi(`smb://anna:wrong@${HOST}/closed`)).toMatch(
      /cannot be opened: .*[Pp]ermission denied.*\.\nCheck user and password/,
    );
  });

  test('an SSH server whose key is asked for: by the medium’s key, and by a password', async () => {
    const address = `sftp://root@${HOST}${at('share')}`;
    expect(await mindi(address)).toMatch(
      /Nobody knows whether .*\(ssh-ed25519\)\.\nGive the fingerprint: mindi.hostkey=/,
    );
    await bootedWith(`mindi.hostkey=SHA256:${'A'.repeat(43)}`);
    expect(await mindi(address)).toContain(`but ${start.hostKey}`);
    await bootedWith('mindi.hostkey=');
    expect(await type(`mindi source ${address}`, 'shows the key [\\s\\S]*Number.*: $')).toContain(start.hostKey);
    await type('1', `${OPENED}[\\s\\S]*# $`);
    expect(await shell(SHA256)).toBe(payload);
    await opens(`ssh://anna:${encodeURIComponent(LOGINS.anna)}@${HOST}/~${at('share')}`);
    expect(await mindi(`sftp://anna:wrong@${HOST}/`)).toContain('refuses the login.\nCheck user and key or password');
    expect(await mindi(`${address}/nowhere`)).toContain('There is no such directory');
  });

  test('an iSCSI disk, without and with a password; nothing is written to it', async () => {
    await opens(`iscsi:${HOST}::3260:1:${TARGET}`);
    expect(await shell('for d in /sys/class/iscsi_session/*/device/target*/*/block/*; do cat $d/ro; done')).toBe(
      '1\n1\n1',
    );
    await opens(`iscsi://anna@${HOST}/${TARGET}:closed/1`);
    expect(await mindi(`iscsi://anna:wrong@${HOST}/${TARGET}:closed/1`)).toContain('refuses the login.');
    expect(await mindi(`iscsi:${HOST}::3260:2:${TARGET}`)).toContain('There is no file system that can be read');
    expect(await mindi(`iscsi://${HOST}/${TARGET}.nowhere/1`)).toContain('cannot be logged in to');
    expect(await shell('mindi source --close; ls /sys/class/iscsi_session')).toBe('');
  });

  test('an iSCSI disk with LVM on it', async () => {
    await opens(`iscsi:${HOST}::3260:1:${TARGET}`);
    const find = 'd=/dev/$(basename /sys/class/iscsi_session/*/device/target*/*:3/block/*)';
    const make = 'pvcreate -q $d && vgcreate -q afar $d && lvcreate -q -y -n data -l 100%FREE afar';
    const fill =
      'mkfs.ext4 -q /dev/afar/data && mount /dev/afar/data /mnt && cp -r /run/mindi/source/* /mnt/; umount /mnt';
    const end = 'vgchange -q -an afar; rm /run/mindi/writable; mindi source --close';
    expect(
      await shell(`${find}; mindi storage writable $d --yes; ${make}; ${fill}; ${end}; ls /dev/afar 2>&1`),
    ).toMatch(/No such file/);
    const made = sha256(await readFile(at('servers/lun3.img')));
    await opens(`iscsi:${HOST}::3260:3:${TARGET}`);
    expect(await shell('dd if=/dev/zero of=/dev/afar/data count=1 2>&1 | head -n 1')).toContain('not permitted');
    expect(await shell('mindi source --close; ls /sys/class/iscsi_session')).toBe('');
    expect(sha256(await readFile(at('servers/lun3.img')))).toBe(made);
    expect(sha256(await readFile(at('servers/lun1.img')))).toBe(disk);
  });
});

describe('sources whose files are read one by one', () => {
  test('S3 storage refuses a clock that is wrong', async () => {
    expect(await mindi(`s3+http://${S3_KEY.id}:x@${HOST}:9000/backups`)).toContain('a clock that is wrong');
  });

  test('HTTPS with an authority of the profile: first the clock is set, then the certificate is right', async () => {
    expect(await shell('date -u +%Y')).toBe('2041');
    await gives(`https://${HOST}`);
    expect(await shell('date -u +%Y')).toBe(`${new Date().getUTCFullYear()}`);
    expect(await mindi(`http://${HOST}/moved`)).toContain(OPENED);
    expect(await mindi(`https://anna@${HOST}/closed`)).toContain(OPENED);
  });

  test('HTTPS with a certificate that does not fit', async () => {
    expect(await mindi(`https://${HOST}:8443`)).toMatch(/its certificate is for another name.*\.\nWrite the name/);
    expect(await mindi(`https://${HOST}:9443`)).toMatch(/its certificate is signed by itself alone.*\.\nCheck/);
  });

  test('S3 storage with a key, and as anybody', async () => {
    await gives(`s3+http://${S3_KEY.id}:${S3_KEY.secret}@${HOST}:9000/backups/web01`);
    expect(await mindi(`'s3://backups/web01?endpoint=http://${HOST}:9000'`)).toContain(OPENED);
    expect(await mindi(`s3+http://nobody:x@${HOST}:9000/backups`)).toContain('refuses the login (InvalidAccessKeyId)');
  });
});

test('the password from a file on a USB stick; none is in any log', async () => {
  await bootedWith('mindi.password-file=mindi/password');
  await opens(`sftp://berta:${encodeURIComponent(LOGINS.berta)}@${HOST}${at('share')}`);
  await shell('mv /etc/mindi/restore-key /tmp/');
  await opens(`sftp://berta@${HOST}${at('share')}`);
  await bootedWith('mindi.password-file=mindi/nothing');
  await shell('rm /etc/mindi/restore-password');
  expect(await mindi(`smb://anna@${HOST}/closed`)).toContain('is neither on the medium nor on a USB stick.');
  // And typed.
  await type(`mindi source sftp://berta@${HOST}${at('share')}`, 'Password of berta on .*: $');
  await type(LOGINS.berta, `${OPENED}[\\s\\S]*# $`);
  expect(await shell(SHA256)).toBe(payload);
  expect(await call({ untouched: true })).toBe('true');
  const logs = 'dmesg | cat - /var/log/mindi.log /proc/mounts /proc/[0-9]*/cmdline 2>/dev/null';
  expect(await shell(`${logs} | grep -ac 'correct.*hors[e]\\|stapl[e]'`)).toBe('0');
  expect(JSON.stringify(start.report)).not.toMatch(/correct|staple/);
});
