import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { takeKernel } from '../../boot/bootable.ts';
import { type Machine, startMachine } from '../../boot/qemu.ts';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { findReady, type ReadyReport } from '../../contract/report.ts';
import { VOLUME_FILE, type Volume } from '../../contract/volume.ts';
import { CONSOLES, PATIENCE, shell } from './shell.ts';

/** One machine that is started with an NFS source and then opens others. The servers run on the loopback. */
const WEB01: Volume = {
  format: 1,
  set: 'web01-a',
  number: 1,
  of: 1,
  machine: 'web01',
  created: '2026-03-01T12:00:00Z',
};
const PASSWORD = 'correct,horse';

let work: Scratch;
let machine: Machine;
let report: ReadyReport;
let payload: string;
let ports: { nfs: number; smb: number; http: number; none: number };
const servers: ChildProcess[] = [];
const at = (...path: string[]) => join(work.path, ...path);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

async function makeShare(): Promise<void> {
  const bytes = randomBytes(3 << 20);
  payload = createHash('sha256').update(bytes).digest('hex');
  await mkdir(at('share', 'mindi'), { recursive: true });
  await mkdir(at('share', 'empty'));
  await writeFile(at('share', VOLUME_FILE), JSON.stringify(WEB01));
  await writeFile(at('share', 'payload'), bytes);
  await chmod(work.path, 0o755);
}

/** Both servers would let the machine write. */
async function startNfs(): Promise<void> {
  const plugins = '/usr/lib/x86_64-linux-gnu/ganesha/';
  const config = `NFS_CORE_PARAM { Protocols = 4; Enable_RQUOTA = false; Enable_NLM = false; Enable_UDP = false; NFS_Port = ${ports.nfs}; Bind_addr = 127.0.0.1; Plugins_Dir = "${plugins}"; }
NFS_KRB5 { Active_krb5 = false; }
NFSV4 { Grace_Period = 1; RecoveryRoot = "${work.path}"; }
EXPORT { Export_Id = 1; Path = "${at('share')}"; Pseudo = "/share"; Access_Type = RW; Squash = No_Root_Squash; SecType = sys; FSAL { Name = VFS; } }
`;
  await writeFile(at('ganesha.conf'), config);
  servers.push(
    spawn('ganesha.nfsd', ['-F', '-f', at('ganesha.conf'), '-L', at('ganesha.log'), '-p', at('ganesha.pid')]),
  );
  const end = Date.now() + 30_000;
  while (!(await readFile(at('ganesha.log'), 'utf8').catch(() => '')).includes('NFS SERVER INITIALIZED')) {
    if (Date.now() > end) throw new Error('ganesha does not start');
    await sleep(100);
  }
}

async function startSmb(): Promise<void> {
  const folders = ['private', 'state', 'cache', 'lock', 'pid'];
  for (const name of folders) await mkdir(at('smb', name), { recursive: true });
  const config = `[global]
smb ports = ${ports.smb}
interfaces = lo
bind interfaces only = yes
private dir = ${at('smb/private')}
state directory = ${at('smb/state')}
cache directory = ${at('smb/cache')}
lock directory = ${at('smb/lock')}
pid directory = ${at('smb/pid')}
log file = ${at('smb/log')}
disable spoolss = yes
[share]
path = ${at('share')}
read only = no
`;
  await writeFile(at('smb.conf'), config);
  execFileSync('smbpasswd', ['-c', at('smb.conf'), '-s', '-a', 'root'], { input: `${PASSWORD}\n${PASSWORD}\n` });
  servers.push(spawn('smbd', ['--foreground', '--no-process-group', '-s', at('smb.conf')], { stdio: 'ignore' }));
}

beforeAll(async () => {
  work = await scratch('test');
  ports = { nfs: await freePort(), smb: await freePort(), http: await freePort(), none: await freePort() };
  await makeShare();
  await startNfs();
  await startSmb();
  servers.push(
    spawn('python3', ['-m', 'http.server', `${ports.http}`, '--bind', '127.0.0.1', '--directory', at('share')], {
      stdio: 'ignore',
    }),
  );
  await writeFile(at('medium.yaml'), 'name: medium\nextends: standalone\nmountlist: none\n');
  const { media } = await build(await loadProfile(at('medium.yaml')), at('out'));
  const image = media[0]?.path ?? '';
  const wanted = `net mindi.source=nfs://10.0.2.2:${ports.nfs}/share udevtimeout=15`;
  machine = await startMachine({
    direct: { ...(await takeKernel(image, work.path)), append: `${CONSOLES} expert ${wanted}` },
    medium: { path: image, as: 'cdrom' },
  });
  report = await machine.waitFor('the ready line', findReady, PATIENCE);
  await machine.waitForText(/mindi:~# $/m, PATIENCE);
});
afterAll(async () => {
  await machine?.stop();
  for (const server of servers) server.kill('SIGKILL');
  await work?.[Symbol.asyncDispose]();
});

const SHA256 = 'sha256sum /run/mindi/source/payload | cut -d" " -f1';
const WRITE = 'touch /run/mindi/source/x 2>&1';
const mindi = (address: string) => shell(machine, `mindi source '${address}' </dev/null 2>&1`);
const smb = (user: string, path = 'share') => `smb://${user}@10.0.2.2:${ports.smb}/${path}`;

test('NFS from the command line is open at the ready line, and read-only', async () => {
  const address = `nfs://10.0.2.2:${ports.nfs}/share`;
  expect(report.problems).toEqual([]);
  expect(report.source).toEqual({ address, path: '/run/mindi/source', volumes: [WEB01], failure: null });
  expect(await shell(machine, SHA256)).toBe(payload);
  expect(await shell(machine, WRITE)).toContain('Read-only file system');
});

test('a Windows share by user and password, read-only; the password is in no log', async () => {
  expect(await mindi(smb(`root:${encodeURIComponent(PASSWORD)}`))).toContain('volume 1 of 1 of web01');
  expect(await shell(machine, SHA256)).toBe(payload);
  expect(await shell(machine, WRITE)).toContain('Read-only file system');
  expect(await shell(machine, `dmesg | cat - /var/log/mindi.log /proc/mounts | grep -c 'correct.*horse'`)).toBe('0');
});

test('a web server: its volume, and a file as a stream from a server without ranges', async () => {
  const address = `http://10.0.2.2:${ports.http}`;
  expect(await mindi(address)).toContain('volume 1 of 1 of web01');
  expect(await shell(machine, `mindi source ${address} --read payload 2>/dev/null | sha256sum | cut -d" " -f1`)).toBe(
    payload,
  );
  expect(await mindi(`${address}/empty`)).toContain('mindi/volume.json is not on');
});

test('what goes wrong is a plain sentence and what to do', async () => {
  expect(await mindi(smb('root:wrong'))).toMatch(
    /cannot be opened: .*[Pp]ermission denied.*\.\nCheck user and password/,
  );
  expect(await mindi(smb('root'))).toContain('Nobody is asked in this mode: Password of root');
  expect(await mindi(`nfs://10.0.2.2:${ports.nfs}/share/empty`)).toContain('is an empty directory.');
  expect(await mindi(`nfs://10.0.2.2:${ports.nfs}/nowhere`)).toMatch(/cannot be opened: .*\nCheck the path/);
  expect(await mindi(`nfs://10.0.2.2:${ports.none}/share`)).toContain('it refuses connections');
});
