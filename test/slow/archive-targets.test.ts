import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { extract } from '../../archive/extract.ts';
import { openSet } from '../../archive/set.ts';
import { discProblem } from '../../archive/targets/burner.ts';
import { openTarget } from '../../archive/targets/index.ts';
import type { Target } from '../../archive/targets/target.ts';
import { verifySet } from '../../archive/verify.ts';
import type { Volume } from '../../contract/volume.ts';
import { archiveTree, makeTree, treeDifferences } from '../archive-tree.ts';
import { serveSsh } from '../boot/servers.ts';
import { freePort } from '../free-port.ts';
import { S3_KEY, serveS3 } from '../s3-server.ts';
import { isSigned } from '../s3-signature.ts';

let work: string;
let tree: string;
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'mindi-targets-'));
  tree = join(work, 'tree');
  makeTree(tree);
});
afterAll(() => rmSync(work, { recursive: true }));

const scratch = () => join(work, 'scratch');

describe('ISO files', () => {
  const isos = () => join(work, 'isos');

  test('a set of them holds everything; each is as big as it may be, and scratch is empty again', async () => {
    const to = { iso: isos() };
    const result = await archiveTree(tree, '', { to, scratch: scratch(), volume: [5 << 20, 6 << 20], verify: true });
    expect(result.set).toBe(join(isos(), 'tree-000001'));
    expect(result.volumes).toBeGreaterThan(1);
    const files = readdirSync(result.set).sort();
    expect(files).toEqual(Array.from({ length: result.volumes }, (_, index) => `tree-${index + 1}.iso`));
    const sizes = files.map((file) => statSync(join(result.set, file)).size);
    expect(sizes[0]).toBeLessThanOrEqual(5 << 20);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(6 << 20);
    expect(readdirSync(scratch())).toEqual([]);

    for (const path of [isos(), result.set, join(result.set, 'tree-1.iso')]) {
      await using set = await openSet(path);
      expect(set.of).toBe(result.volumes);
      expect(await verifySet(set, () => {})).toMatchObject({ problems: [], damaged: [] });
    }
    await using set = await openSet(isos());
    const to2 = join(work, 'from-isos');
    expect(await extract(set, { paths: [], to: to2, overwrite: false }, () => {})).toMatchObject({ failed: [] });
    expect(treeDifferences(tree, join(to2, tree))).toBe('');
  });

  test('other programs read them, and find the same', () => {
    const out = join(work, 'osirrox');
    const iso = join(isos(), 'tree-000001/tree-1.iso');
    execFileSync('osirrox', ['-indev', iso, '-extract', '/', out], { stdio: 'pipe' });
    expect(execFileSync('sha256sum', ['-c', '--quiet', 'SHA256SUMS'], { cwd: out }).toString()).toBe('');
  });
});

describe('volumes that are lost or wrong', () => {
  test('a file bigger than a volume; a lost volume and one of another set cost their own files only', async () => {
    const big = join(work, 'big');
    mkdirSync(big);
    writeFileSync(join(big, 'large'), randomBytes(14 << 20));
    for (const name of ['one', 'two', 'three']) writeFileSync(join(big, name), name);
    const settings = { scratch: scratch(), volume: [6 << 20] };
    const first = await archiveTree(big, '', { ...settings, to: { iso: join(work, 'big-isos') } });
    const other = await archiveTree(big, '', { ...settings, to: { iso: join(work, 'other-isos') } });
    expect(first.volumes).toBeGreaterThan(2);
    const to = join(work, 'big-out');
    {
      await using set = await openSet(first.set);
      expect(await extract(set, { paths: [], to, overwrite: false, own: false }, () => {})).toMatchObject({
        failed: [],
      });
      execFileSync('cmp', [join(big, 'large'), join(to, big, 'large')]);
    }
    const second = join(first.set, 'tree-2.iso');
    copyFileSync(join(other.set, 'tree-2.iso'), second);
    {
      await using set = await openSet(first.set);
      const { problems, damaged } = await verifySet(set, () => {});
      expect(problems.join('\n')).toContain('volume 2 of ');
      expect(new Set(damaged.map(({ path }) => path.split('/').pop()))).toEqual(new Set(['large']));
    }
    rmSync(second);
    await using set = await openSet(first.set);
    const { damaged } = await verifySet(set, () => {});
    expect(new Set(damaged.map(({ path }) => path.split('/').pop()))).toEqual(new Set(['large']));
  });

  test('without the last one, the catalog is asked for', async () => {
    const folder = join(work, 'other-isos', 'tree-000001');
    rmSync(join(folder, readdirSync(folder).sort().at(-1) ?? ''));
    await expect(openSet(folder)).rejects.toThrow('the volume with the catalog, the last one, is missing');
  });
});

describe('a full disk', () => {
  /** A file system of so many bytes, gone afterwards. */
  async function small(name: string, bytes: number, work: (folder: string) => Promise<void>): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), `mindi-${name}-`));
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'none', folder]);
    try {
      await work(folder);
    } finally {
      execFileSync('umount', [folder]);
      rmSync(folder, { recursive: true });
    }
  }

  test.each(['scratch', 'target'])('the %s: one sentence, older sets whole', (which) =>
    small(which, 4 << 20, async (folder) => {
      const [isos, place] =
        which === 'target' ? [folder, join(work, 'full-scratch')] : [join(work, 'full-isos'), folder];
      const settings = { to: { iso: isos }, scratch: place, volume: [10 << 20] };
      await expect(archiveTree(tree, '', settings)).rejects.toMatchObject({
        message: expect.stringMatching(/no room left|no space left/i),
        exitCode: 1,
      });
    }),
  );
});

/** A target's begin that takes the server away when the volume of that number begins. */
const stopAt = (number: number, target: Target, stop: () => void) => {
  const { begin } = target;
  return async (volume: Volume) => {
    if (volume.number === number) stop();
    return begin(volume);
  };
};

test('a directory of an SSH server, mounted for the run; one that goes away is a sentence', async () => {
  const port = await freePort();
  const key = join(work, 'key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const server = await serveSsh(key, work, port);
  writeFileSync(join(work, 'known_hosts'), `[127.0.0.1]:${port} ${server.publicKey}`);
  const config = `IdentityFile ${key}\nUserKnownHostsFile ${work}/known_hosts\n`;
  writeFileSync(join(work, 'ssh_config'), config);
  mkdirSync(join(work, 'bin'));
  writeFileSync(
    join(work, 'bin/ssh'),
    `#!/bin/sh\necho $$ >${work}/ssh.pid\nexec /usr/bin/ssh -F ${work}/ssh_config "$@"\n`,
    { mode: 0o755 },
  );
  const path = process.env.PATH;
  process.env.PATH = `${work}/bin:${path}`;
  try {
    mkdirSync(join(work, 'remote'));
    const url = `sshfs://root@127.0.0.1:${port}${work}/remote`;
    const { set } = await archiveTree(tree, '', { to: { url }, scratch: scratch(), verify: true });
    expect(set).toBe(`${url}/tree-000001`);
    expect(readdirSync(join(work, 'remote'))).toEqual(['tree-000001']);
    {
      await using there = await openSet(url);
      expect(await verifySet(there, () => {})).toMatchObject({ problems: [], damaged: [] });
    }
    const mounts = readFileSync('/proc/mounts', 'utf8');
    expect(mounts).not.toContain('mindi-mount-');
    // In the middle of a run: no connection, and no new one.
    const gone = () => {
      server.stop();
      process.kill(Number(readFileSync(join(work, 'ssh.pid'), 'utf8')), 'SIGKILL');
    };
    const place = join(work, 'gone-scratch');
    const more = { to: { url }, scratch: place, volume: [4 << 20] };
    const run = archiveTree(tree, '', more, {
      open: async (context) => {
        const target = await openTarget(context);
        return Object.assign(target, { begin: stopAt(2, target, gone) });
      },
    });
    await expect(run).rejects.toMatchObject({
      message: expect.stringContaining('the server does not answer any more'),
      exitCode: 1,
    });
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain('mindi-mount-');
    await expect(archiveTree(tree, '', { to: { url }, scratch: scratch() })).rejects.toThrow('it cannot be mounted');
  } finally {
    process.env.PATH = path;
    server.stop();
  }
});

/** A web server that keeps what it gets; `refuse` says what it answers instead. */
async function webServer(refuse: (request: IncomingMessage) => number | 'break' | undefined = () => undefined) {
  const files = new Map<string, Buffer>();
  const server = createServer(async (request, response) => {
    const { method = '', url = '' } = request;
    const refused = refuse(request);
    if (refused === 'break') {
      request.once('data', () => request.socket.destroy());
      return;
    }
    const body = await buffer(request).catch(() => null);
    if (!body) return;
    if (refused !== undefined) return void response.writeHead(refused).end('no');
    if (method === 'PUT') files.set(url, body);
    const found = files.get(url);
    response.writeHead(found ? 200 : 404).end(method === 'PUT' ? '' : found);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return { files, url: `http://127.0.0.1:${port}/bkp`, [Symbol.dispose]: () => void server.close() };
}

const call = (url: string, more = {}) => ({ to: { url }, scratch: scratch(), volume: [5 << 20], ...more });

describe('a web server', () => {
  test('takes a set by PUT, and gives it back', async () => {
    using server = await webServer();
    for (const number of [1, 2]) {
      const { set, volumes } = await archiveTree(tree, '', call(server.url, { verify: true }));
      expect(set).toBe(`${server.url}/tree-00000${number}`);
      expect(volumes).toBeGreaterThan(1);
    }
    expect(readdirSync(scratch())).toEqual([]);
    await using set = await openSet(server.url);
    expect(set.folder).toBe(server.url);
    expect(await verifySet(set, () => {})).toMatchObject({ problems: [], damaged: [] });
    const to = join(work, 'from-web');
    const paths = [join(tree, 'numbers')];
    expect(await extract(set, { paths, to, overwrite: false }, () => {})).toMatchObject({ failed: [] });
    execFileSync('cmp', [join(tree, 'numbers'), join(to, tree, 'numbers')]);
    server.files.delete([...server.files.keys()].find((path) => path.includes('000002/volume-002/0')) ?? '');
    expect((await verifySet(set, () => {})).problems).toEqual([expect.stringMatching(/is missing/)]);
  });

  test.each([
    [401, 'the login is refused'],
    [405, 'it takes no files by PUT'],
    [507, 'there is no room left'],
  ])('that answers %i: a plain sentence, and older sets are whole', async (status, said) => {
    using server = await webServer(({ method, url = '' }) =>
      method === 'PUT' && /000002.tar/.test(url) ? status : undefined,
    );
    await expect(archiveTree(tree, '', call(server.url))).rejects.toThrow(`000002.tar.zst: ${said}`);
    await expect(openSet(server.url)).rejects.toThrow('there is no set');
    rmSync(scratch(), { recursive: true });
  });

  test('that breaks off once is asked again', async () => {
    let broken = 0;
    using server = await webServer(({ url = '' }) => (/000002.tar/.test(url) && broken++ < 1 ? 'break' : undefined));
    expect((await archiveTree(tree, '', call(server.url))).volumes).toBeGreaterThan(1);
    expect(broken).toBeGreaterThan(1);
  });
});

describe('S3', () => {
  const credentials = () => join(work, 'credentials');
  const to = (port: number | string) => ({ url: `s3+http://127.0.0.1:${port}/bucket/web`, credentials: credentials() });

  test('a set in a bucket, and back; an unknown key is refused', async () => {
    const server = await serveS3(join(work, 's3'), ['bucket']);
    try {
      writeFileSync(credentials(), 'username=nobody\npassword=secret\n', { mode: 0o600 });
      const more = { to: to(server.port), scratch: scratch() };
      await expect(archiveTree(tree, '', more)).rejects.toThrow(/the key is refused \(InvalidAccessKeyId\)/);
      const text = `[default]\naws_access_key_id = ${S3_KEY.id}\naws_secret_access_key = ${S3_KEY.secret}\n`;
      writeFileSync(credentials(), text);
      const { set } = await archiveTree(tree, '', more);
      expect(set).toBe(`s3+http://127.0.0.1:${server.port}/bucket/web/tree-000001`);
      await using there = await openSet(set, undefined, { credentials: credentials() });
      expect(await verifySet(there, () => {})).toMatchObject({ problems: [], damaged: [] });
    } finally {
      server.stop();
    }
  });

  test('every request is signed, and the secret is nowhere', async () => {
    writeFileSync(credentials(), 'username=id\npassword=Geheim7\n');
    using server = await webServer((request) => (isSigned(request, 'Geheim7') ? undefined : 403));
    const { port } = new URL(server.url);
    await archiveTree(tree, '', { to: to(port), scratch: scratch() });
    expect([...server.files.keys()]).toContain('/bucket/web/tree-000001/volume-001/SHA256SUMS');
    for (const bytes of server.files.values()) expect(bytes.includes('Geheim7')).toBe(false);
    writeFileSync(credentials(), 'username=id\npassword=other\n');
    const refused = archiveTree(tree, '', { to: to(port), scratch: scratch() });
    await expect(refused).rejects.toThrow('the key is refused (403)');
  });

  test('a file of credentials that others may read is refused', async () => {
    chmodSync(credentials(), 0o644);
    await expect(archiveTree(tree, '', { to: to(1), scratch: scratch() })).rejects.toThrow('others may read this file');
  });
});

describe('discs and sticks', () => {
  /** Somebody who answers, and what was asked. */
  const person = (answer: (question: string) => string) => {
    const asked: string[] = [];
    const ask = async (question: string) => {
      asked.push(question);
      return answer(question);
    };
    return { asked, ask };
  };

  test('a burner, here a file in place of one: each disc is asked for, and read back', async () => {
    const [drive, kept] = [join(work, 'disc'), join(work, 'discs')];
    mkdirSync(kept);
    writeFileSync(drive, '');
    // Who changes discs takes the burned one out, and puts in an empty one.
    const { asked, ask } = person((question) => {
      const [, number = ''] = /disc (\d+)/.exec(question) ?? [];
      renameSync(drive, join(kept, `tree-${Number(number) - 1}.iso`));
      writeFileSync(drive, '');
      return '';
    });
    const to = { burner: `stdio:${drive}`, speed: 8 };
    const settings = { to, scratch: scratch(), volume: [5 << 20], verify: true };
    const { volumes } = await archiveTree(tree, '', settings, { ask });
    expect(asked.length).toBe(volumes - 1);
    expect(asked[0]).toBe(`Put disc 2 into stdio:${drive} and press Enter (or type stop):`);
    renameSync(drive, join(kept, `tree-${volumes}.iso`));
    await using set = await openSet(kept);
    expect(await verifySet(set, () => {})).toMatchObject({ problems: [], damaged: [] });
  });

  test('a disc that is too small or written already is not burned', () => {
    const disc = { kind: 'CD-R', state: 'blank', rewritable: false, room: 1000 } as const;
    expect(discProblem(disc, 1000, false)).toBe(null);
    expect(discProblem(disc, 1001, false)).toMatch('needs 1001 bytes, and the disc has room for 1000');
    expect(discProblem({ ...disc, state: 'written' }, 1, true)).toBe('the CD-R is written already');
    const rewritable = { ...disc, state: 'written', rewritable: true } as const;
    expect(discProblem(rewritable, 1, false)).toMatch('wipe: true');
    expect(discProblem(rewritable, 1, true)).toBe(null);
  });

  test('a stick is written over only after its serial number was typed, or stands in the profile', async () => {
    const file = join(work, 'stick');
    writeFileSync(file, '');
    truncateSync(file, 128 << 20);
    const usb = execFileSync('losetup', ['--find', '--show', file]).toString().trim();
    try {
      const settings = { scratch: scratch(), verify: true };
      await expect(archiveTree(tree, '', { ...settings, to: { usb } })).rejects.toThrow(/nobody is there to answer/);
      const { asked, ask } = person((question) => (/serial number (\S+) to/.exec(question) ? 'wrong' : ''));
      const wrong = archiveTree(tree, '', { ...settings, to: { usb, force: true } }, { ask });
      await expect(wrong).rejects.toThrow('not wrong; nothing was written');
      const [, serial = ''] = /serial number (\S+) to/.exec(asked.at(-1) ?? '') ?? [];
      await archiveTree(tree, '', { ...settings, to: { usb, force: true, serial: [serial] } });
      await using set = await openSet(usb);
      expect(await verifySet(set, () => {})).toMatchObject({ problems: [], damaged: [] });
    } finally {
      execFileSync('losetup', ['--detach', usb]);
    }
  });
});
