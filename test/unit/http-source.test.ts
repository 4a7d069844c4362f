import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VOLUME_FILE } from '../../contract/volume.ts';
import type { Context } from '../../initramfs/boot.ts';
import { http } from '../../initramfs/sources/http.ts';

const VOLUME = { format: 1, set: 'a1', number: 1, of: 1, machine: 'web01', created: '2026-03-01T12:00:00Z' };
const DATA = Buffer.from('0123456789');
const LOGIN = `Basic ${Buffer.from('anna:s3cret').toString('base64')}`;
const context = {
  parameters: { wait: 0, passwordFile: null },
  consoles: { write() {} },
  person: {},
} as unknown as Context;

let server: Server;
let other: Server;
const leaked: unknown[] = [];
const on = (one: Server, path: string, login = '') =>
  new URL(`http://${login}127.0.0.1:${(one.address() as AddressInfo).port}/${path}`);

beforeAll(async () => {
  other = createServer(({ headers }, response) => {
    leaked.push(headers.authorization);
    response.end(DATA);
  }).listen(0, '127.0.0.1');
  server = createServer(({ url = '', headers }, response) => {
    const from = Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
    if (url.startsWith('/closed/') && headers.authorization !== LOGIN) response.writeHead(401).end();
    else if (url.includes(VOLUME_FILE) && !url.startsWith('/empty/')) response.end(JSON.stringify(VOLUME));
    else if (url.endsWith('/whole')) response.end(DATA);
    else if (url.endsWith('?sig=a%2Bb&x=1')) response.end(url);
    else if (url.endsWith('/away')) response.writeHead(302, { location: on(other, 'x').href }).end();
    else if (url.endsWith('/cut'))
      response.writeHead(200, { 'content-length': 99 }).write(DATA, () => response.destroy());
    else if (url.endsWith('/ranges'))
      response.writeHead(206, { 'content-range': `bytes ${from}-9/10` }).end(DATA.subarray(from));
    else response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await Promise.all([server, other].map((one) => new Promise((done) => one.once('listening', done))));
});
afterAll(() => {
  for (const one of [server, other]) one.close();
});

describe('a web server', () => {
  test('tells its volume, and gives a file from any byte on, by ranges or without', async () => {
    const source = await http.open(on(server, 'web01'), context);
    expect(await source.volumes()).toEqual([VOLUME]);
    expect(await buffer(await source.read('ranges', 4))).toEqual(DATA.subarray(4));
    expect(await buffer(await source.read('whole', 4))).toEqual(DATA.subarray(4));
    await expect(source.read('nothing')).rejects.toThrow('nothing is not on http:');
    await expect(source.read('cut').then(buffer)).rejects.toThrow(/ended after 10 bytes/);
  });

  test('gets a login that no other server gets and no name shows', async () => {
    const source = await http.open(on(server, 'closed', 'anna:s3cret@'), context);
    expect(source.name).not.toMatch(/anna|s3cret/);
    expect(await buffer(await source.read('away'))).toEqual(DATA);
    expect(leaked).toEqual([undefined]);
  });

  test('gets what stands after ? with each file, and no name shows it', async () => {
    const source = await http.open(on(server, 'web01?sig=a%2Bb&x=1'), context);
    expect(String(await buffer(await source.read('etc/a b')))).toBe('/web01/etc/a%20b?sig=a%2Bb&x=1');
    expect(source.name).not.toContain('sig');
  });

  test('whose certificate nobody vouches for is told so, with what to do', async () => {
    const words = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      '/CN=x',
    ];
    const pem = execFileSync('openssl', [...words, '-keyout', '-'], { encoding: 'utf8', stdio: 'pipe' });
    const secure = createSecureServer({ key: pem, cert: pem }).listen(0, '127.0.0.1');
    await once(secure, 'listening');
    const { port } = secure.address() as AddressInfo;
    await expect(http.open(new URL(`https://127.0.0.1:${port}/`), context)).rejects.toMatchObject({
      message: expect.stringContaining('its certificate is signed by itself alone'),
      hint: expect.stringContaining('network.authorities'),
    });
    secure.close();
  });

  test('that refuses or has nothing is a sentence', async () => {
    await expect(http.open(on(server, 'closed', 'anna:wrong@'), context)).rejects.toThrow('refuses the login (401)');
    await expect(http.open(on(server, 'empty'), context)).rejects.toThrow(`${VOLUME_FILE} is not on`);
  });
});
