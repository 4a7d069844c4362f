import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VOLUME_FILE } from '../../contract/volume.ts';
import type { Context } from '../../initramfs/boot.ts';
import { s3 } from '../../initramfs/sources/s3.ts';
import { parseS3, serverAddress } from '../../initramfs/sources/s3-address.ts';
import { SourceError } from '../../initramfs/sources/source.ts';
import { S3_KEY, type S3Server, serveS3 } from '../s3-server.ts';
import { isSigned } from '../s3-signature.ts';

const volume = (set: string, number: number) =>
  JSON.stringify({ format: 1, set, number, of: 2, machine: 'web01', created: `2026-03-0${number}T12:00:00Z` });
const context = {
  parameters: { wait: 0, passwordFile: null },
  consoles: { write() {} },
  person: { there: true, enter: async () => S3_KEY.secret },
} as unknown as Context;
const DATA = Buffer.from('0123456789');
const folder = mkdtempSync(join(tmpdir(), 'mindi-test-'));

let server: S3Server;
/** Before it, and looks at signatures. */
let guard: Server;
beforeAll(async () => {
  server = await serveS3(folder, ['backups', 'nothing']);
  await server.put('backups', `web 01/one/${VOLUME_FILE}`, volume('b', 1));
  await server.put('backups', `web 01/two/${VOLUME_FILE}`, volume('b', 2));
  await server.put('backups', 'web 01/two/a+b c', DATA);
  // s3rver lists only folders with an object right below.
  for (const name of ['one', 'two']) await server.put('backups', `web 01/${name}/size`, '0');
  await server.put('backups', `db/${VOLUME_FILE}`, volume('d', 1));
  await server.put('backups', 'repository/config', DATA);
  guard = createServer((asked, answer) => {
    const { url = '', headers } = asked;
    if (headers.authorization && !isSigned(asked, S3_KEY.secret))
      answer.writeHead(403).end('<Error><Code>SignatureDoesNotMatch</Code></Error>');
    else
      request({ port: server.port, path: url, headers }, (got) =>
        got.pipe(answer.writeHead(got.statusCode ?? 0, got.headers)),
      ).end();
  }).listen(0, '127.0.0.1');
  await new Promise((done) => guard.once('listening', done));
});
afterAll(() => {
  guard.close();
  server.stop();
  rmSync(folder, { recursive: true });
});

const open = (path: string, login = '') =>
  s3.open(new URL(`s3+http://${login}127.0.0.1:${(guard.address() as AddressInfo).port}/${path}`), context);

describe('S3 storage', () => {
  test('tells the volumes below a prefix and reads ranges of their files, signed', async () => {
    const source = await open('backups/web%2001', `${S3_KEY.id}@`);
    expect((await source.volumes()).map(({ number }) => number)).toEqual([1, 2]);
    await source.next?.(2);
    expect(await buffer(await source.read('a+b c', 4))).toEqual(DATA.subarray(4));
    await expect(source.next?.(3)).rejects.toThrow('Volume 3 is not on s3://backups/web 01/');
  });

  test('a prefix that is a volume, and one that holds other data, asked as anybody', async () => {
    expect(await (await open('backups/db')).volumes()).toEqual([JSON.parse(volume('d', 1))]);
    const other = await open('backups/repository');
    expect(await other.volumes()).toEqual([]);
    expect(await buffer(await other.read('config'))).toEqual(DATA);
    await expect(other.read('nothing')).rejects.toThrow('nothing is not on s3://backups/repository/');
  });

  test('what goes wrong is a sentence', async () => {
    await expect(open('backups', `${S3_KEY.id}:wrong@`)).rejects.toThrow('refuses the login (SignatureDoesNotMatch)');
    await expect(open('backups', `AKIDNOBODY:${S3_KEY.secret}@`)).rejects.toThrow('the login (InvalidAccessKeyId)');
    await expect(open('nobucket')).rejects.toThrow('There is no bucket nobucket on 127.0.0.1.');
    await expect(open('nothing')).rejects.toThrow(/^s3:\/\/nothing\/ on .* is empty\.$/);
  });
});

describe('addresses of S3', () => {
  test.each([
    ['s3://b1/web01', 'https://s3.us-east-1.amazonaws.com/', 'b1', 'web01/', 'us-east-1'],
    ['s3://k:s@b1?region=eu-central-1', 'https://s3.eu-central-1.amazonaws.com/', 'b1', '', 'eu-central-1'],
    ['s3://b1/a/b/?endpoint=http://minio:9000', 'http://minio:9000/', 'b1', 'a/b/', 'us-east-1'],
    ['s3+https://k@minio:9000/b1/a%20b', 'https://minio:9000/', 'b1', 'a b/', 'us-east-1'],
  ])('%s', (text, endpoint, bucket, prefix, region) => {
    const place = parseS3(new URL(text));
    expect({ ...place, endpoint: place.endpoint.href }).toEqual({ endpoint, bucket, prefix, region });
    expect(serverAddress(text)).toBe(endpoint);
  });

  test('any text is an address or an error in words', () => {
    fc.assert(
      fc.property(fc.constantFrom('s3:', 's3://', 's3+http://', 's3+https://a/'), fc.string(), (start, text) => {
        if (!URL.canParse(start + text)) return;
        try {
          expect(parseS3(new URL(start + text)).bucket).not.toBe('');
        } catch (error) {
          expect(error).toBeInstanceOf(SourceError);
        }
      }),
    );
  });

  test.each(['s3:', 's3+http://server', 's3://b1?endpoint=minio', 's3://b1?region=a.b'])('%s is none', (text) => {
    expect(() => parseS3(new URL(text))).toThrow('names no bucket');
    expect(serverAddress(text)).toBe(text);
  });
});
