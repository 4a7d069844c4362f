import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Servers of restore data on their usual ports of 127.0.0.1, for a network and mounts of their own (`unshare --net
 * --mount`). The guest reaches them at HOST.
 */
export const HOST = '10.0.2.2';
/** Of SMB, SSH, HTTP and iSCSI. CHAP wants twelve characters. */
export const LOGINS = { anna: 'correct,horse battery', berta: 'staple%40+' } as const;
export const TARGET = 'iqn.2024-01.lan.test:store';
/** Seconds a server may take to start on a busy machine. */
const PATIENCE = 60;

const sh = (program: string, words: readonly string[], input = '') =>
  execFileSync(program, words, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });

/** Where this machine looks for users, these are among them from now on. */
export function addUsers(work: string): void {
  for (const name of ['passwd', 'shadow']) copyFileSync(`/etc/${name}`, join(work, name));
  for (const [i, [user, password]] of Object.entries(LOGINS).entries()) {
    appendFileSync(join(work, 'passwd'), `${user}:x:${47110 + i}:65534::/:/bin/sh\n`);
    const hash = sh('openssl', ['passwd', '-6', '-stdin'], password).trim();
    appendFileSync(join(work, 'shadow'), `${user}:${hash}:19000:0:99999:7:::\n`);
  }
  for (const name of ['passwd', 'shadow']) sh('mount', ['--bind', join(work, name), `/etc/${name}`]);
}

/** `/share` for anybody, `/closed` for anna. Both would let her write. */
export async function serveSmb(folder: string, work: string): Promise<void> {
  const folders = ['private', 'state', 'cache', 'lock', 'pid'];
  for (const name of folders) mkdirSync(join(work, 'smb', name), { recursive: true });
  const config = `[global]
interfaces = lo
bind interfaces only = yes
map to guest = Bad User
private dir = ${work}/smb/private
state directory = ${work}/smb/state
cache directory = ${work}/smb/cache
lock directory = ${work}/smb/lock
pid directory = ${work}/smb/pid
ncalrpc dir = ${work}/smb/ncalrpc
log file = ${work}/smb/log
disable spoolss = yes
[share]
path = ${folder}
read only = no
guest ok = yes
[closed]
path = ${folder}
read only = no
valid users = anna
`;
  writeFileSync(join(work, 'smb.conf'), config);
  sh('smbpasswd', ['-c', join(work, 'smb.conf'), '-s', '-a', 'anna'], `${LOGINS.anna}\n${LOGINS.anna}\n`);
  spawn('smbd', ['--foreground', '--no-process-group', '-s', join(work, 'smb.conf')], { stdio: 'ignore' });
  await listening(445);
}

export interface SshServer {
  /** Fingerprint of its key. */
  hostKey: string;
  /** The key itself, as known_hosts has it. */
  publicKey: string;
  stop(): void;
}

/** `key` lets root in. */
export async function serveSsh(key: string, work: string, port = 22): Promise<SshServer> {
  mkdirSync('/run/sshd', { recursive: true });
  const host = join(work, 'ssh_host_ed25519_key');
  sh('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', host]);
  writeFileSync(join(work, 'authorized_keys'), readFileSync(`${key}.pub`));
  const config = `ListenAddress 127.0.0.1:${port}
HostKey ${host}
AuthorizedKeysFile ${work}/authorized_keys
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
KbdInteractiveAuthentication no
PidFile none
Subsystem sftp internal-sftp
`;
  writeFileSync(join(work, 'sshd.conf'), config);
  const server = spawn('/usr/sbin/sshd', ['-D', '-f', join(work, 'sshd.conf')], { stdio: 'ignore' });
  await listening(port);
  return {
    hostKey: sh('ssh-keygen', ['-lf', `${host}.pub`]).split(' ')[1] ?? '',
    publicKey: readFileSync(`${host}.pub`, 'utf8'),
    stop: () => void server.kill('SIGKILL'),
  };
}

/**
 * `/moved/…` leads to HTTPS, `/closed/…` wants anna; there is no listing, and there are no ranges. The certificate of
 * port 443 is good for two days, that of 8443 is for another name, that of 9443 is its own.
 * @param authority folder with ca.pem and ca.key
 */
export async function serveWeb(folder: string, authority: string, work: string): Promise<void> {
  const files = webFiles(folder);
  createServer(files).listen(80, '127.0.0.1');
  const ca = ['-CA', join(authority, 'ca.pem'), '-CAkey', join(authority, 'ca.key')];
  certificate('right', `IP:${HOST}`, ca, work);
  certificate('other', 'DNS:other.lan', ca, work);
  certificate('alone', `IP:${HOST}`, [], work);
  for (const [name, port] of Object.entries({ right: 443, other: 8443, alone: 9443 })) {
    const [key, cert] = [readFileSync(join(work, `${name}.key`)), readFileSync(join(work, `${name}.pem`))];
    createSecureServer({ key, cert }, files).listen(port, '127.0.0.1');
  }
  for (const port of [80, 443, 8443, 9443]) await listening(port);
}

/** A server like that of port 80, for everybody. */
export async function serveLate(folder: string, port: number): Promise<Server> {
  const server = createServer(webFiles(folder)).listen(port, '127.0.0.1');
  await listening(port);
  return server;
}

function webFiles(folder: string): RequestListener {
  const login = `Basic ${Buffer.from(`anna:${LOGINS.anna}`).toString('base64')}`;
  return ({ url = '', headers }, answer) => {
    const [, first, rest = ''] = /^\/(moved|closed)\/(.*)$/.exec(url) ?? [];
    if (first === 'moved') return answer.writeHead(302, { location: `https://${HOST}/${rest}` }).end();
    if (first === 'closed' && headers.authorization !== login) return answer.writeHead(401).end();
    try {
      return answer.end(readFileSync(join(folder, first ? rest : url)));
    } catch {
      return answer.writeHead(404).end();
    }
  };
}

/** A key and a certificate that is valid for two days. `by`: openssl's words for who signs it; else it does itself. */
export function certificate(name: string, names: string, by: readonly string[], work: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${work}/${name}.key`];
  const words = ['-x509', '-days', '2', '-subj', `/CN=${name}`, '-out', `${work}/${name}.pem`];
  sh('openssl', ['req', ...words, ...key, ...by, ...(names ? ['-addext', `subjectAltName=${names}`] : [])]);
}

/** Target 1 for anybody, LUN 1 with the folder, LUN 2 and 3 empty; target 2, `…:closed`, for anna. Both would let them write. */
export async function serveIscsi(folder: string, work: string): Promise<void> {
  const [image, empty, room] = ['lun1.img', 'lun2.img', 'lun3.img'].map((name) => join(work, name)) as [
    string,
    string,
    string,
  ];
  sh('mke2fs', ['-q', '-t', 'ext4', '-d', folder, image, '16m']);
  writeFileSync(empty, Buffer.alloc(1 << 20));
  writeFileSync(room, Buffer.alloc(16 << 20));
  spawn('tgtd', ['-f', '--iscsi', 'portal=127.0.0.1:3260'], { stdio: 'ignore' });
  await listening(3260);
  const admin = (mode: string, op: string, ...more: string[]) =>
    sh('tgtadm', ['--lld', 'iscsi', '--mode', mode, '--op', op, ...more]);
  for (const [tid, name] of [
    ['1', TARGET],
    ['2', `${TARGET}:closed`],
  ] as const) {
    admin('target', 'new', '--tid', tid, '-T', name);
    admin('logicalunit', 'new', '--tid', tid, '--lun', '1', '-b', image);
    admin('target', 'bind', '--tid', tid, '-I', 'ALL');
  }
  admin('logicalunit', 'new', '--tid', '1', '--lun', '2', '-b', empty);
  admin('logicalunit', 'new', '--tid', '1', '--lun', '3', '-b', room);
  admin('account', 'new', '--user', 'anna', '--password', LOGINS.anna);
  admin('account', 'bind', '--tid', '2', '--user', 'anna');
}

/** A USB stick with a password file, and with settings that name an iSCSI disk and its password as the source. */
export function passwordStick(path: string, work: string): void {
  writeFileSync(join(work, 'password'), `${LOGINS.berta}\r\nmore\n`);
  const secret = encodeURIComponent(LOGINS.anna);
  writeFileSync(
    join(work, 'config.yaml'),
    `restore: { source: "iscsi://anna:${secret}@${HOST}/${TARGET}:closed/1" }\n`,
  );
  sh('mformat', ['-C', '-T', '8192', '-i', path, '::']);
  sh('mmd', ['-i', path, '::mindi']);
  for (const name of ['password', 'config.yaml']) sh('mcopy', ['-i', path, join(work, name), `::mindi/${name}`]);
}

/** Waits until something listens at that port of 127.0.0.1. */
export async function listening(port: number): Promise<void> {
  for (let tenths = 0; tenths < 10 * PATIENCE; tenths += 1) {
    const socket = connect(port, '127.0.0.1');
    const there = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (there) return;
    await sleep(100);
  }
  throw new Error(`nothing listens on port ${port}`);
}
