import { createHash } from 'node:crypto';
import { chmod, mkdir, symlink, unlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ServeOptions, type Serving, serve } from '../../boot/serve/serve.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';

let work: Scratch;
let folder: string;
let serving: Serving | undefined;
let log: string[];
beforeEach(async () => {
  work = await scratch('test');
  folder = join(work.path, 'netboot');
  log = [];
  await mkdir(join(folder, 'mindi'), { recursive: true });
  const files = { 'boot.ipxe': '#!ipxe\n', 'pxelinux.0': 'x', 'mindi/stage2.squashfs': '0123456789' };
  const sums = Object.entries(files).map(([name, content]) => {
    return `${createHash('sha256').update(content).digest('hex')}  ${name}\n`;
  });
  for (const [name, content] of Object.entries({ ...files, 'mindi/sha256sums': sums.join('') }))
    await writeFile(join(folder, name), content);
  await writeFile(join(work.path, 'secret'), 'secret');
  await writeFile(join(work.path, 'netboot-2'), 'secret');
});
afterEach(async () => {
  vi.restoreAllMocks();
  await serving?.stop();
  serving = undefined;
  await work[Symbol.asyncDispose]();
});

async function start(options: Partial<ServeOptions> = {}): Promise<Serving> {
  const defaults = { folder, listen: '127.0.0.1', httpPort: 0, httpOnly: true, range: null };
  serving = await serve({ ...defaults, log: (line) => log.push(line), ...options });
  return serving;
}

const failure = (options: Partial<ServeOptions>) =>
  start(options).then(
    () => undefined,
    (error: unknown) => error,
  );

/** The path goes out as it is: fetch would tidy it up. */
async function ask(path: string, { method = 'GET', headers = {} } = {}): Promise<{ status: number; body: string }> {
  const { port } = new URL(serving?.url ?? '');
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  request({ host: '127.0.0.1', port, path, method, headers }, async (response) => {
    resolve({ status: response.statusCode ?? 0, body: await text(response) });
  })
    .on('error', reject)
    .end();
  return promise;
}

describe('HTTP server', () => {
  it('gives out files, parts of them, and says what it gave', async () => {
    await start();
    expect(await ask('/mindi/stage2.squashfs')).toEqual({ status: 200, body: '0123456789' });
    expect(await ask('/mindi/stage2.squashfs', { headers: { range: 'bytes=2-4' } })).toEqual({
      status: 206,
      body: '234',
    });
    expect(await ask('/mindi/stage2.squashfs', { headers: { range: 'bytes=-3' } })).toEqual({
      status: 206,
      body: '789',
    });
    expect((await ask('/mindi/stage2.squashfs', { headers: { range: 'bytes=90-' } })).status).toBe(416);
    expect(await ask('/boot.ipxe', { method: 'HEAD' })).toEqual({ status: 200, body: '' });
    await vi.waitFor(() => expect(log).toHaveLength(5));
    expect(log[0]).toMatch(/^127\.0\.0\.1 GET \/mindi\/stage2\.squashfs 200 10 bytes in [\d.]+ s$/);
  });

  it('gives out nothing else', async () => {
    await start();
    await symlink('../secret', join(folder, 'link'));
    await symlink('..', join(folder, 'up'));
    await writeFile(join(folder, '.hidden'), 'secret');
    const paths = [
      '/',
      '/mindi',
      '/mindi/',
      '/nothing',
      '/../secret',
      '/..%2fsecret',
      '/%2e%2e/secret',
      '/../netboot-2',
    ];
    for (const path of [...paths, '/link', '/up/secret', '/.hidden', '/%', '/%00', '//etc/passwd', '*']) {
      const { status, body } = await ask(path);
      expect([400, 403, 404], path).toContain(status);
      expect(body).not.toContain('secret');
    }
    expect((await ask('/boot.ipxe', { method: 'POST' })).status).toBe(405);
    expect((await ask('/boot.ipxe')).status).toBe(200);
  });
});

describe('what cannot be served', () => {
  it('is refused with what to do', async () => {
    await start();
    const taken = Number(new URL(serving?.url ?? '').port);
    await mkdir(join(work.path, 'empty'));
    const refused: [Partial<ServeOptions>, string][] = [
      [{ folder: join(work.path, 'empty') }, 'serve.no-folder'],
      [{ folder: join(work.path, 'nowhere') }, 'serve.no-folder'],
      [{ folder: join(work.path, 'secret') }, 'serve.no-folder'],
      [{ httpPort: taken }, 'serve.port'],
      [{ listen: '192.0.2.1' }, 'serve.interface'],
      [{ listen: undefined, interface: 'nocard' }, 'serve.interface'],
      [{ httpOnly: false, range: '10.0.0.1' }, 'serve.range'],
      [{ httpOnly: false }, 'serve.private'],
    ];
    const first = serving;
    for (const [options, code] of refused)
      expect(await failure(options), code).toMatchObject({ code, exitCode: 2, hint: expect.any(String) });
    serving = first;
  });

  it('is a folder that leads elsewhere, or is not whole', async () => {
    await symlink('../secret', join(folder, 'link'));
    expect(await failure({})).toMatchObject({ code: 'serve.link', where: join(folder, 'link') });
    await unlink(join(folder, 'link'));
    await unlink(join(folder, 'pxelinux.0'));
    expect(await failure({})).toMatchObject({ code: 'serve.incomplete', message: 'files are missing: pxelinux.0' });
  });

  it('is DHCP without root, and without dnsmasq', async () => {
    const uid = vi.spyOn(process, 'getuid').mockReturnValue(1000);
    expect(await failure({ httpOnly: false })).toMatchObject({ code: 'serve.not-root' });
    uid.mockReturnValue(0);
    await chmod(work.path, 0o755);
    await writeFile(join(work.path, 'ip'), '#!/bin/sh\nexec /usr/sbin/ip "$@"\n', { mode: 0o755 });
    vi.stubEnv('PATH', `${work.path}:/nowhere`);
    expect(await failure({ httpOnly: false })).toMatchObject({ code: 'tool.missing', exitCode: 2 });
    vi.unstubAllEnvs();
  });
});
