import { execFile, execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { takeKernel } from '../../boot/bootable.ts';
import { type Machine, startMachine } from '../../boot/qemu.ts';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { findReady, type ReadyReport } from '../../contract/report.ts';
import { freePort } from '../free-port.ts';
import { certificate } from './servers.ts';
import { CONSOLES, PATIENCE } from './shell.ts';
import { type Witness, witness } from './witness.ts';

/** One machine, reached from here through ports of QEMU's network; its host, 10.0.2.2, is this machine. */
let work: Scratch;
let machine: Machine;
let report: ReadyReport;
let disk: Witness;
let ports: { ssh: number; page: number; put: number; tls: number };
/** What the machine's web server was given, by path. */
const given = new Map<string, string>();
/** And with which logins. */
const logins = new Set<string>();
const logServers: Server[] = [];
/** What its syslog servers heard. */
const heard = { udp: '', tcp: '' };
const syslog = { udp: createSocket('udp4'), tcp: createServer() };

const at = (name: string) => join(work.path, name);
const exec = promisify(execFile);

const PROFILE = `name: lab
extends: minimal
drivers: { sets: [virtio], include: [net-pf-10, net-pf-17] }
access: { authorizedKeys: [anna.pub] }
network: { authorities: [tls.pem] }
`;

/** Returns their addresses as the machine reaches them. */
async function serveSyslog(): Promise<string[]> {
  const { udp, tcp } = syslog;
  udp.bind(0, '127.0.0.1').on('message', (message) => {
    heard.udp += `${message}\n`;
  });
  tcp.listen(0, '127.0.0.1').on('connection', (socket) =>
    socket.on('data', (chunk) => {
      heard.tcp += chunk;
    }),
  );
  await Promise.all([once(udp, 'listening'), once(tcp, 'listening')]);
  const { port } = tcp.address() as AddressInfo;
  return [`syslog://10.0.2.2:${udp.address().port}`, `syslog+tcp://10.0.2.2:${port}`];
}

beforeAll(async () => {
  work = await scratch('test');
  for (const name of ['anna', 'ben', 'stranger'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', at(name)]);
  certificate('tls', 'IP:10.0.2.2', [], work.path);
  await writeFile(at('lab.yaml'), PROFILE);
  const { media } = await build(await loadProfile(at('lab.yaml')), at('lab'));
  const files = await takeKernel(media[0]?.path ?? '', work.path);
  ports = { ssh: await freePort(), page: await freePort(), put: await freePort(), tls: await freePort() };
  const web = [`http://ops:hunter22@10.0.2.2:${ports.put}/logs/`, `https://10.0.2.2:${ports.tls}/secure.log`];
  const logs = [...web, ...(await serveSyslog())].map((address) => `mindi.log=${address}`);
  const forward = (from: number, to: number) => `hostfwd=tcp:127.0.0.1:${from}-:${to}`;
  disk = await witness(work.path);
  machine = await startMachine({
    drives: [disk.drive],
    direct: { ...files, append: `${CONSOLES} mindi.status ${logs.join(' ')}` },
    card: {
      model: 'virtio-net-pci',
      backend: `user,${forward(ports.ssh, 22)},${forward(ports.page, 80)}`,
    },
  });
  report = await machine.waitFor('the ready line', findReady, PATIENCE);
});
afterAll(async () => {
  for (const server of logServers) server.close().closeAllConnections();
  syslog.udp.close();
  syslog.tcp.close();
  await machine?.stop();
  await work[Symbol.asyncDispose]();
});

/** Seconds for a connection: the machine is emulated. */
const SSH = ['-o', 'BatchMode=yes', '-o', 'IdentitiesOnly=yes', '-o', 'ConnectTimeout=60', '-o', 'LogLevel=ERROR'];
const knownHost = () => ['-o', 'StrictHostKeyChecking=yes', '-o', `UserKnownHostsFile=${at('known')}`];
const as = (key: string) => [...SSH, ...knownHost(), '-i', at(key)];

/** What a command on the machine says, as its user sees it. */
async function ssh(command: string, { key = 'anna', more = [] as string[] } = {}): Promise<string> {
  const { stdout } = await exec('ssh', [...as(key), ...more, '-p', String(ports.ssh), 'root@127.0.0.1', command]);
  return stdout.trim();
}

/** Why ssh does not get in. */
const refused = (options: Parameters<typeof ssh>[1]) =>
  ssh('true', options).then(
    () => 'let in',
    ({ stderr }) => String(stderr),
  );

async function until<T>(what: string, look: () => T | undefined | false): Promise<T> {
  const end = performance.now() + PATIENCE * 1000;
  for (;;) {
    const found = look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`${what} did not come`);
    await sleep(100);
  }
}

const wholeLog = () => [...given].find(([path]) => path.startsWith('/logs/lab-52-54-00-'))?.[1];

describe('remote hands', () => {
  test('SSH: the printed fingerprint is the key that answers; keys of the profile get in, nothing else does', async () => {
    const { stdout: key } = await exec('ssh-keyscan', [
      '-T',
      '60',
      '-t',
      'ed25519',
      '-p',
      String(ports.ssh),
      '127.0.0.1',
    ]);
    await writeFile(at('known'), key);
    const print = execFileSync('ssh-keygen', ['-lf', at('known')], { encoding: 'utf8' }).split(' ')[1];
    expect(report.ssh).toEqual({ hostKey: print, keys: 1 });
    expect(machine.text).toContain(`SSH: root@10.0.2.15, host key ${print}`);

    expect(await ssh('id -u; cat /proc/self/oom_score_adj; echo $PATH')).toMatch(/^0\n0\n\/usr\/local\/sbin:/);
    expect(await refused({ key: 'stranger' })).toContain('Permission denied (publickey)');
    const methods = 'PreferredAuthentications=password,keyboard-interactive,gssapi-with-mic';
    const password = ['-o', 'PubkeyAuthentication=no', '-o', methods];
    expect(await refused({ more: password })).toContain('Permission denied (publickey)');
  });

  test('a key that is added while the machine runs; what is none is told', async () => {
    expect(await refused({ key: 'ben' })).toContain('Permission denied');
    const added = exec('ssh', [...as('anna'), '-p', String(ports.ssh), 'root@127.0.0.1', 'mindi ssh --json -']);
    added.child.stdin?.end(`nonsense\n${await readFile(at('ben.pub'), 'utf8')}`);
    const { stdout, stderr, code } = await added.catch((error) => error);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^-:1: The key is none that OpenSSH/) });
    expect(JSON.parse(stdout)).toEqual({ ...report.ssh, keys: 2 });
    expect(await ssh('echo in', { key: 'ben' })).toBe('in');
  });

  test('files leave the machine by scp and sftp; the menu comes to a terminal over SSH', async () => {
    const [log, address] = ['/var/log/mindi.log', 'root@127.0.0.1'];
    await exec('scp', [...as('anna'), '-P', String(ports.ssh), `${address}:${log}`, at('scp.log')]);
    await exec('scp', ['-O', ...as('anna'), '-P', String(ports.ssh), `${address}:${log}`, at('old-scp.log')]);
    await exec('sftp', [...as('anna'), '-P', String(ports.ssh), `${address}:${log}`, at('sftp.log')]);
    for (const name of ['scp.log', 'old-scp.log', 'sftp.log'])
      expect(await readFile(at(name), 'utf8')).toContain('mindi: ready {');

    const menu = exec('ssh', ['-tt', ...as('anna'), '-p', String(ports.ssh), address, 'TERM=vt100 mindi menu']);
    let seen = '';
    menu.child.stdout?.on('data', (chunk) => {
      seen += chunk;
    });
    menu.catch(() => {});
    await until('the menu', () => seen.includes('Restore this machine'));
    menu.child.kill();
  });

  test('the log goes to a web server that came late, from its first line, and follows', async () => {
    await machine.waitForText(/PROBLEM: The log cannot be sent to http:\S+\.log: it refuses connections/, PATIENCE);
    const take: RequestListener = async (request, response) => {
      given.set(request.url ?? '', await text(request));
      if (request.url !== '/secure.log') logins.add(request.headers.authorization ?? '');
      response.writeHead(201).end();
    };
    const tls = { key: await readFile(at('tls.key')), cert: await readFile(at('tls.pem')) };
    logServers.push(createHttpServer(take).listen(ports.put, '127.0.0.1'));
    logServers.push(createHttpsServer(tls, take).listen(ports.tls, '127.0.0.1'));
    await machine.waitForText(/the log is sent to http:\/\/10\.0\.2\.2:/, PATIENCE);
    await machine.waitForText(/the log is sent to https:\/\/10\.0\.2\.2:\d+\/secure\.log/, PATIENCE);
    expect(await until('the log', wholeLog)).toMatch(/^\[[\d.]+\] shim: Linux version [\s\S]*mindi: ready \{/);
    expect([...logins]).toEqual([`Basic ${Buffer.from('ops:hunter22').toString('base64')}`]);
    await ssh("echo '[1.0] a late word' >>/var/log/mindi.log");
    await until('what was added', () => wholeLog()?.includes('a late word'));
    expect(wholeLog()?.match(/PROBLEM: The log cannot be sent/g)).toHaveLength(2);
    await until('what was added, over TLS', () => given.get('/secure.log')?.includes('a late word'));
  });

  test('the log goes to syslog servers by UDP and TCP too, line by line, and once to where a command says', async () => {
    for (const way of ['udp', 'tcp'] as const) {
      await until(way, () => heard[way].includes('a late word'));
      expect(heard[way]).toMatch(/^<14>1 \d{4}-\S+Z mindi mindi - - - shim: Linux version .*\n/);
      expect(heard[way]).toMatch(/^<12>1 \S+ mindi mindi - - - PROBLEM: The log cannot be sent/m);
      expect(heard[way].match(/init started/g)).toHaveLength(1);
    }
    for (const log of [wholeLog() ?? '', heard.udp, heard.tcp]) {
      expect(log).toContain('command line: ');
      expect(log).not.toContain('hunter22');
    }
    const place = `http://10.0.2.2:${ports.put}/once.log`;
    expect(await ssh(`mindi log ${place}`)).toBe(`The log was sent to ${place}.`);
    expect(given.get('/once.log')).toContain('a late word');
  });

  test('the status page, as a browser on a desk and a telephone shows it, and as JSON', async () => {
    const url = `http://127.0.0.1:${ports.page}/`;
    const browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: ['--headless', '--no-sandbox'],
    });
    try {
      for (const width of [1100, 380]) {
        const page = await browser.newPage({ viewport: { width, height: 900 } });
        const seen: string[] = [];
        page.on('console', (message) => seen.push(message.text()));
        page.on('request', (request) => seen.push(request.url()));
        await page.goto(url, { timeout: PATIENCE * 1000 });
        const words = (await page.locator('body').textContent()) ?? '';
        for (const word of [
          '3 problems',
          report.ssh?.hostKey ?? '?',
          'http://10.0.2.15/',
          'cable in',
          'interactive mode',
        ])
          expect(words).toContain(word);
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
        expect(seen).toEqual([url]);
        await page.close();
      }
    } finally {
      await browser.close();
    }
    const json = (await (await fetch(`${url}ready.json`)).json()) as ReadyReport;
    expect(json).toMatchObject({
      name: 'lab',
      nics: report.nics,
      statusPage: true,
      problems: [/^The clock is not set/, /^The log cannot.* to http:/, /^The log cannot.* to https:/].map((words) =>
        expect.stringMatching(words),
      ),
    });
    expect((await fetch(`${url}ready.json`, { method: 'DELETE' })).status).toBe(405);
  });

  test('when the init dies the log still says why, from afar, and SSH stays', async () => {
    await ssh('kill -9 $(cat /run/mindi/init.pid)');
    const words = 'The init was ended by signal 9';
    await until('the reason', () => [wholeLog() ?? '', heard.udp, heard.tcp].every((log) => log.includes(words)));
    expect(await ssh('mindi ssh')).toBe(`SSH: root, host key ${report.ssh?.hostKey}`);
    expect(await disk.untouched()).toBe(true);
  });
});
