import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { logReceiver } from '../../initramfs/remote/log-receiver.ts';
import { syslogMessages } from '../../initramfs/remote/syslog.ts';

const LINES = '[1.50] first\n[2.00] PROBLEM: a thing\n  | of it\n';
const MESSAGE = /^<(\d+)>1 (\d{4}-\d\d-\d\dT[\d:.]+Z) (\S+) mindi - - - (.*)$/;

async function listening(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

async function bound(socket: UdpSocket): Promise<number> {
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket.address().port;
}

const failure = (work: Promise<unknown> | undefined) =>
  work?.then(
    () => null,
    (error: Error) => error.message,
  );

describe('syslog messages', () => {
  test('RFC 5424, with the time each line was written and how bad it is', () => {
    const zero = Date.UTC(2026, 0, 2);
    expect(syslogMessages(LINES, { zero, host: 'rescue' })).toEqual([
      '<14>1 2026-01-02T00:00:01.500Z rescue mindi - - - first',
      '<12>1 2026-01-02T00:00:02.000Z rescue mindi - - - PROBLEM: a thing',
      '<14>1 2026-01-02T00:00:02.000Z rescue mindi - - -   | of it',
    ]);
  });

  test('any text gives messages of one line each, none too long', () => {
    const messages = (text: string) => syslogMessages(text, { zero: 0, host: 'h' });
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const message of messages(text)) expect(message).toMatch(/^<\d+>1 [^\0-\x1f\x7f]*$/);
      }),
    );
    const [long = ''] = messages(`[3.0] ${'ä'.repeat(9000)}`);
    expect(Buffer.byteLength(long)).toBeLessThan(9000);
  });
});

describe('who takes the log', () => {
  test('a syslog server by UDP; that nobody listens is told', async () => {
    const server = createSocket('udp4');
    const heard: string[] = [];
    server.on('message', (message) => heard.push(String(message)));
    const port = await bound(server);
    const receiver = logReceiver(`syslog://127.0.0.1:${port}`, 'lab');
    await receiver?.send(Buffer.from(LINES));
    expect(heard.map((message) => MESSAGE.exec(message)?.[4])).toEqual(['first', 'PROBLEM: a thing', '  | of it']);
    server.close();
    expect(await failure(receiver?.send(Buffer.from(LINES)))).toMatch(/ECONNREFUSED/);
  });

  test('a syslog server by TCP, over one connection, and a new one when the server has begun anew', async () => {
    const server = createServer();
    const sockets: Socket[] = [];
    server.on('connection', (socket) => sockets.push(socket));
    const port = await listening(server);
    const receiver = logReceiver(`syslog+tcp://127.0.0.1:${port}`, 'lab');
    await receiver?.send(Buffer.from(LINES));
    await receiver?.send(Buffer.from('[3.0] more\n'));
    const [socket, ...others] = sockets as [Socket];
    expect(others).toEqual([]);
    const heard = text(socket);
    socket.end();
    const words = (await heard).split('\n').map((message) => MESSAGE.exec(message)?.[4]);
    expect(words).toEqual(['first', 'PROBLEM: a thing', '  | of it', 'more', undefined]);
    await receiver?.send(Buffer.from('[4.0] again\n'));
    expect(sockets).toHaveLength(2);
    for (const one of sockets) one.destroy();
    await once(server.close(), 'close');
    expect(await failure(receiver?.send(Buffer.from(LINES)))).toMatch(/closed the connection|ECONN/);
  });

  test('a web server: PUT, with a login, into a folder by a name of its own; a refusal is told', async () => {
    const heard: { method?: string; url?: string; login?: string; body: string }[] = [];
    let status = 201;
    const server = createHttpServer(async ({ method, url, headers }, response) => {
      const body = await text(response.req);
      heard.push({ ...(method && { method }), ...(url && { url }), login: headers.authorization ?? '', body });
      response.writeHead(status).end('thanks');
    });
    const port = await listening(server);
    const receiver = logReceiver(`http://anna:secret@127.0.0.1:${port}/logs/`, 'lab');
    expect(receiver?.name).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/logs\/lab-.*\.log$/);
    await receiver?.send(Buffer.from(LINES));
    const login = `Basic ${Buffer.from('anna:secret').toString('base64')}`;
    expect(heard).toEqual([{ method: 'PUT', url: expect.stringMatching(/^\/logs\/lab-.*\.log$/), login, body: LINES }]);
    status = 403;
    expect(await failure(receiver?.send(Buffer.from(LINES)))).toBe('the server says 403 Forbidden');
    server.close();
    server.closeAllConnections();
  });

  test.each(['', 'nonsense', 'ftp://server/', 'syslog:', 'http://'])('%j is no address', (address) => {
    expect(logReceiver(address, 'lab')).toBeNull();
  });
});
