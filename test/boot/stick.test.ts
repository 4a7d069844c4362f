import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { takeKernel } from '../../boot/bootable.ts';
import { findFat } from '../../boot/find-fat.ts';
import { type Machine, startMachine } from '../../boot/qemu.ts';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { findReady, type ReadyReport } from '../../contract/report.ts';
import { scanned } from '../scan.ts';
import { CONSOLES, PATIENCE, shell } from './shell.ts';
import { waitForScreen } from './terminal.ts';
import { type Witness, witness } from './witness.ts';

/** One machine with a medium that people put files on, a stick with more of them, and one for reports. */
let work: Scratch;
let machine: Machine;
let report: ReadyReport;
let server: Server;
let disk: Witness;
/** What was sent to the server, by path. */
const sent = new Map<string, Buffer>();
let medium = { path: '', offset: 0 };

const at = (...path: string[]) => join(work.path, ...path);
const run = (program: string, ...args: string[]) => execFileSync(program, args, { stdio: 'pipe' }).toString();
const port = () => (server.address() as AddressInfo).port;

const ANN = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBg0kLyWqoyvPkbn/b5Cg7TDtGCVDzAjVhxC1+UHYjkp ann@example.org';
/** None of this may be in a report. */
const SECRET = /Planted/;

const PROFILE = `name: own
extends: minimal
media: [usb]
initrd: { fold: false }
tools: { sets: [base, network, ssh] }
`;
/** What lies on the medium wins over the profile. */
const CONFIG = `restore: { mode: expert, source: "http://ann:Planted-3%21@10.0.2.2:9/backup" }
network: { ip: dhcp, nameserver: [10.0.2.3] }
`;
const STICK = {
  'config.yaml': "restore:\n  source: 'usb:'\n  mod: nuke\nnetwork: { ip: 10.0.0.5 }\n",
  authorized_keys: `# who may log in\n${ANN}\nssh-ed25519 AAAA broken\n`,
  keymap: 'mine\r\n',
  'mine.kmap': 'keycode 44 = y\nkeycode 21 = z\n',
  'keymap.txt': 'de-latin1\n',
};

const LATE = {
  'config.yaml':
    "restore: { source: 'http://bob:Planted-9@10.0.2.2:9/late', mode: nuke }\nnetwork: { nameserver: [10.0.2.9] }\n",
  authorized_keys: ANN,
  keymap: 'other',
};

async function makeStick(name: string, files: Record<string, string | Uint8Array>): Promise<void> {
  await writeFile(at(`${name}.img`), '');
  await truncate(at(`${name}.img`), 8 << 20);
  run('mkfs.vfat', '-n', name.toUpperCase(), at(`${name}.img`));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(at(name, 'mindi'), { recursive: true });
    await writeFile(at(name, 'mindi', path), text);
  }
  if (Object.keys(files).length > 0) run('mcopy', '-s', '-i', at(`${name}.img`), at(name, 'mindi'), '::');
}

async function makeMedium(): Promise<void> {
  await writeFile(at('own.yaml'), PROFILE);
  const { media } = await build(await loadProfile(at('own.yaml')), at('out'));
  const path = media[0]?.path ?? '';
  medium = { path, offset: findFat(path)?.offset ?? 0 };
  await writeFile(at('config.yaml'), CONFIG);
  run('mcopy', '-i', `${path}@@${medium.offset}`, at('config.yaml'), '::mindi/config.yaml');
}

async function serve(): Promise<void> {
  server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      sent.set(`${request.method} ${request.url}`, Buffer.concat(parts));
      response.writeHead(request.url?.startsWith('/full') ? 507 : 201).end();
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
}

beforeAll(async () => {
  work = await scratch('test');
  await makeStick('two', { ...STICK, 'other.kmap': execFileSync('loadkeys', ['-q', '-b', 'de-latin1']) });
  await makeStick('late', LATE);
  await makeStick('three', {});
  await makeStick('full', {});
  const free = /([\d ]+) bytes free/.exec(run('mdir', '-i', at('full.img'), '::'))?.[1]?.replaceAll(' ', '');
  await writeFile(at('big'), Buffer.alloc(Number(free) - 4096));
  run('mcopy', '-i', at('full.img'), at('big'), '::');
  await makeMedium();
  await serve();
  disk = await witness(work.path);
  machine = await startMachine({
    direct: { ...(await takeKernel(medium.path, work.path)), append: `${CONSOLES} wifi.psk=Planted-2` },
    drives: [
      `${medium.path}:usb`,
      `${at('two.img')}:usb`,
      `${at('three.img')}:usb`,
      `${at('full.img')}:usb`,
      disk.drive,
    ],
  });
  report = await machine.waitFor('the ready line', findReady, PATIENCE);
  await machine.waitForText(/mindi:~# $/m, PATIENCE);
});
afterAll(async () => {
  await machine?.stop();
  server?.close();
  await work?.[Symbol.asyncDispose]();
});

describe('what a person puts on a stick', () => {
  test('settings on the medium win over the profile; what is wrong with those of a stick is told with its place', async () => {
    const [own, stick] = report.sticks;
    expect(report).toMatchObject({ mode: 'expert', medium: own?.device });
    expect(own).toMatchObject({ files: ['config.yaml'], config: true });
    const files = ['authorized_keys', 'config.yaml', 'keymap', 'mine.kmap', 'other.kmap'];
    expect(stick).toMatchObject({ files, config: false });
    expect(report.problems).toEqual(
      expect.arrayContaining([
        `mindi/keymap.txt on ${stick?.device} is not read: leave out what stands behind its real name.`,
        `On ${stick?.device}, mindi/authorized_keys:3: The key is damaged, or a part of it is missing.`,
        `On ${stick?.device}, mindi/config.yaml:3:3: unknown key "mod" in restore. Did you mean "mode"?`,
        expect.stringContaining(
          `On ${stick?.device}, mindi/config.yaml:4:16: network.ip says "10.0.0.5", which is not understood: `,
        ),
      ]),
    );
    expect(report.nics[0]?.addresses).toContain('10.0.2.15/24');
    expect(await shell(machine, 'cat /etc/resolv.conf')).toContain('nameserver 10.0.2.3');
    expect(report.source).toMatchObject({ address: 'http://10.0.2.2:9/backup', failure: expect.any(String) });
  });

  test('keys and a keymap of a stick are used', async () => {
    expect(report.ssh?.keys).toBe(1);
    expect(await shell(machine, 'cat /run/mindi/ssh/authorized_keys')).toBe(ANN);
    const keys = await shell(machine, "dumpkeys -C /dev/tty0 | grep -E '^keycode +(21|44) '");
    expect(keys).toMatch(/ 21 = \+z [\s\S]* 44 = \+y /);
  });
});

/** Waits for the menu's entry, takes it, and gives what comes. */
async function fromMenu(key: string, until: RegExp): Promise<string> {
  machine.type('mindi menu\r');
  await waitForScreen(machine, /h {2}Help from afar by SSH/, PATIENCE);
  machine.type(key);
  const screen = await waitForScreen(machine, until, PATIENCE);
  machine.type('\r');
  await waitForScreen(machine, /h {2}Help from afar by SSH[\s\S]*Arrow keys/, PATIENCE);
  machine.type('s');
  await waitForScreen(machine, /mindi:~#$/, PATIENCE);
  return screen;
}

describe('help from afar', () => {
  test('the screen shows what people read, not the line for programs', async () => {
    const screen = await shell(machine, 'tr -s " " </dev/vcs1; echo');
    expect(screen).toContain('Expert mode: nothing was started');
    expect(screen).not.toContain('mindi: ready {');
  });

  test('the menu shows how to log in by SSH, and what is missing where there are no keys', async () => {
    const shown = await fromMenu('h', /Go on/);
    expect(shown).toMatch(/^ssh root@10\.0\.2\.15$[\s\S]*^Let in: one key\.$/m);
    expect(shown).toContain(`Host key: ${report.ssh?.hostKey}`);
    await shell(machine, 'rm /run/mindi/ssh/authorized_keys');
    expect(await fromMenu('h', /Go on/)).toMatch(/^It lets nobody in: there are no authorized keys/m);
  });

  test('a stick that is plugged in later is read: what it changes is told, and what is set up stays', async () => {
    const file = { driver: 'file', filename: at('late.img'), 'read-only': true };
    await machine.qmp('blockdev-add', { driver: 'raw', 'node-name': 'late', file, 'read-only': true });
    await machine.qmp('device_add', { driver: 'usb-storage', bus: 'usb.0', id: 'late-stick', drive: 'late' });
    await machine.waitForText(/on \/dev\/sd.: mindi\/authorized_keys, mindi\/config\.yaml, mindi\/keymap/, PATIENCE);
    await machine.waitForText('keyboard: other', PATIENCE);
    await machine.waitForText("the network stays as it is: 'Network' in the menu", PATIENCE);
    await machine.waitForText(/mindi\/keymap\n[\s\S]*SSH: root@10\.0\.2\.15, host key SHA256:/, PATIENCE);
    await machine.waitForText('the restore source is another one now', PATIENCE);
    await machine.waitForText('it stays expert mode', PATIENCE);
    machine.type('\r');
    expect(await shell(machine, 'cat /run/mindi/ssh/authorized_keys')).toBe(ANN);
    expect(await shell(machine, 'grep -c run/mindi/stick-look /proc/mounts')).toBe('0');
    machine.type('mindi menu\r');
    await waitForScreen(machine, /^Disks .*\(and 5 more\)$[\s\S]*Help from afar/m, PATIENCE);
    await machine.qmp('device_del', { id: 'late-stick' });
    await waitForScreen(machine, /^Disks .*\(and 4 more\)$/m, PATIENCE);
    machine.type('s');
    await waitForScreen(machine, /mindi:~#$/, PATIENCE);
  });
});

/** Unpacks a report. Returns its files, by name, and sees that no secret is in any. */
async function unpacked(archive: Buffer): Promise<Map<string, string>> {
  const hash = createHash('sha256').update(archive).digest('hex');
  await mkdir(at(hash));
  await writeFile(at(hash, 'report.tar.gz'), archive);
  run('tar', '-xzf', at(hash, 'report.tar.gz'), '-C', at(hash));
  const names = run('tar', '-tzf', at(hash, 'report.tar.gz'))
    .split('\n')
    .filter((name) => /[^/]$/.test(name));
  const files = names.map((name): [string, string] => [name.replace(/.*\//, ''), readFileSync(at(hash, name), 'utf8')]);
  for (const [name, text] of files) expect(SECRET.exec(text), name).toBeNull();
  return new Map(files);
}

describe('mindi bug-me', () => {
  const KEY = '-----BEGIN OPENSSH PRIVATE KEY-----\\nPlanted7abcdefghijklmnop\\n-----END OPENSSH PRIVATE KEY-----';

  test('sends all there is to know to a web server, without the secrets', async () => {
    await shell(
      machine,
      [
        "echo '[9.99] login with Planted-3! failed; password=Planted-4 is wrong' >>/var/log/mindi.log",
        `printf '${KEY}\\n' >/var/log/other.log`,
        "echo '<4>token=Planted-5' >/dev/kmsg",
        "sh -c 'sleep 999; : --password Planted-6' & true",
      ].join('; '),
    );
    const said = await shell(machine, `mindi bug-me http://bob:Planted-8@10.0.2.2:${port()}/reports/; echo $?`);
    const [path = '', archive = Buffer.alloc(0)] = [...sent][0] ?? [];
    expect(path).toMatch(/^PUT \/reports\/mindi-bug-me-own-\d{8}-\d{6}\.tar\.gz$/);
    expect(said).toMatch(
      /The report \(\d+\.\d kB\) is at http:\/\/10\.0\.2\.2:\d+\/reports\/mindi-bug-me-own-.*\n[\s\S]*\n0$/,
    );
    const files = await unpacked(archive);
    expect(JSON.parse(files.get('ready.json') ?? '')).toMatchObject({
      name: 'own',
      mode: 'expert',
      sticks: expect.arrayContaining(report.sticks),
    });
    expect(files.get('mindi.log')).toContain('login with [removed] failed; password=[removed] is wrong');
    expect(files.get('other.log')).toBe('[removed]\n');
    expect(files.get('dmesg.txt')).toMatch(/Linux version[\s\S]*token=\[removed\]/);
    expect(files.get('command-line.txt')).toContain(' wifi.psk=[removed]');
    expect(files.get('config.json')).toContain('"http://bob:[removed]@10.0.2.2:9/late"');
    expect(JSON.parse(files.get('hardware.json') ?? '')).toMatchObject({ kernel: report.kernel });
    expect(files.get('network.txt')).toMatch(/10\.0\.2\.15\/24[\s\S]*default via 10\.0\.2\.2/);
    expect(files.get('storage.txt')).toMatch(/vfat[\s\S]*== \/proc\/partitions[\s\S]*sdc/);
    expect(files.get('system.txt')).toMatch(/MemTotal[\s\S]*usb_storage[\s\S]*--password \[removed\]/);
    expect(files.get('summary.txt')).toContain('problem: ');
  });

  test('a server that does not take it, nobody who could say where to: a sentence, and what to do', async () => {
    expect(await shell(machine, `mindi bug-me http://10.0.2.2:${port()}/full/; echo $?`)).toMatch(
      /The report cannot be sent to http:\/\/10.*: the server says 507 .*\nCheck the address .*\n1$/,
    );
    expect(await shell(machine, 'bug-me </dev/null; echo $?')).toMatch(
      /Nobody is asked in this mode: Where shall .*\n1$/,
    );
    expect(await shell(machine, 'mindi bug-me usb:/dev/vda; echo $?')).toMatch(
      /\/dev\/vda is no USB stick .*\nThere is .*\n1$/,
    );
  });

  test('onto a stick, and onto the medium: this file and nothing else, and the guard is back', async () => {
    const own = report.medium;
    const third = await shell(machine, 'findfs LABEL=THREE');
    const full = await shell(machine, 'findfs LABEL=FULL');
    const state = `cat /run/mindi/writable 2>/dev/null; for d in ${own} ${third} ${full}; do blockdev --getro $d; done; grep -E '${own}|${third}|${full}' /proc/mounts`;
    const before = await shell(machine, state);
    expect(before).toMatch(/^1\n1\n1\n/);
    expect(await shell(machine, `mindi bug-me usb:${third} --json`)).toContain(` on the USB stick ${third}"`);
    expect(await shell(machine, `mindi bug-me usb:${own}`)).toContain(` on the USB stick ${own}.`);
    expect(await shell(machine, `mindi bug-me usb:${full}; echo $?`)).toMatch(
      /^\/dev\/sd.: it is full\.\nChoose another stick, .*\n1$/m,
    );
    expect(await shell(machine, state)).toBe(before);
    expect(await shell(machine, `dd if=/dev/zero of=${third} count=1 conv=fsync`)).toContain('not permitted');
  });

  test('the menu offers it; on the screen a QR code tells what matters, beside the summary', async () => {
    machine.type('mindi menu\r');
    await waitForScreen(machine, /w {2}Something is wrong/, PATIENCE);
    machine.type('w');
    await waitForScreen(machine, /Where shall the report go\?[\s\S]*4 {2}USB stick/, PATIENCE);
    machine.type('5');
    const screen = await waitForScreen(machine, 'Enter goes back', PATIENCE);
    expect(screen.split('\n').length).toBeLessThanOrEqual(24);
    expect(screen).toMatch(/medium \/dev\/sd/);
    expect(scanned(screen)).toMatch(/^MINDI 4\.0\.0 OWN MADE 20\d\d-.* \/ LINUX .* MIB \/ MEDIUM \/DEV\/SD/);
    machine.type('\r');
    await waitForScreen(machine, /> w {2}Something is wrong/, PATIENCE);
  });

  test('afterwards the sticks are as they were, but for the reports', async () => {
    await machine.stop();
    expect(await disk.untouched()).toBe(true);
    const reports = (image: string) =>
      run('mdir', '-b', '-i', image, '::')
        .split('\n')
        .filter((name) => name.includes('bug-me'));
    const own = `${medium.path}@@${medium.offset}`;
    for (const [image, all] of [
      [at('three.img'), 1],
      [own, 1],
      [at('two.img'), 0],
    ] as const) {
      const names = reports(image);
      expect(names, image).toHaveLength(all);
      for (const name of names) await unpacked(execFileSync('mtype', ['-i', image, name]));
    }
    for (const name of ['three.img', 'full.img']) {
      expect(run('mdir', '-b', '-i', at(name), '::').trim().split('\n'), name).toHaveLength(1);
      run('fsck.vfat', '-n', at(name));
    }
  });
});
