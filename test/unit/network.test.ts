import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadProfile } from '../../builder/profile/load.ts';
import { scratch } from '../../builder/scratch.ts';
import { parseBootParameters } from '../../contract/command-line.ts';
import type { NetworkWords } from '../../contract/network-setting.ts';
import { networkWords } from '../../contract/settings/network.ts';
import type { Boot } from '../../initramfs/boot.ts';
import { askHttp, askNtp, parseNtp } from '../../initramfs/network/clock.ts';
import { isRemote, settingFor } from '../../initramfs/network/set-up.ts';

/** What is set up with that command line and that profile. */
function setting(line: string, network: NetworkWords = {}, source: string | null = null) {
  const parameters = parseBootParameters(line);
  const config = { network, restore: { mode: 'interactive', source } };
  return settingFor({ parameters, config, mode: parameters.mode ?? 'interactive' } as unknown as Boot);
}

describe('whether the network is set up', () => {
  it.each([
    ['', {}],
    ['ip=none', { ip: ['dhcp'] }],
    ['', { ip: ['none'] }],
    ['usb=/dev/sdb', {}],
    ['mindi.ssh=off', {}],
    ['mindi.nameserver=10.0.0.1', {}],
  ])('not by "%s" and %j', (line, profile) => expect(setting(line, profile)).toBeNull());

  it.each([
    'net',
    'pxe',
    'ping',
    'hwaddr=52:54:00:00:00:01',
    'mindi.ssh',
    'mindi.status',
    'mindi.log=syslog://10.0.0.1',
  ])('by %s, on any card', (line) =>
    expect(setting(line, { ip: ['none'], ntp: ['time.example'] })).toMatchObject({ ip: [], ntp: ['time.example'] }),
  );

  it.each(['nfsmount=server:/srv', 'mindi.source=s3://bucket/web01', 'mindi.source=sftp://host/srv'])(
    'by a source on the network: %s',
    (line) => expect(setting(line)).toMatchObject({ ip: [] }),
  );

  it('by the profile’s source where nobody is asked', () => {
    expect(setting('nuke', {}, 'nfs://server/srv')).toMatchObject({ ip: [] });
    expect(setting('interactive', {}, 'nfs://server/srv')).toBeNull();
  });

  it('by the profile; the command line’s words hold before its', () => {
    const profile = { ip: ['eth0:dhcp'], nameserver: ['10.0.0.2'] };
    expect(setting('', profile)).toMatchObject({ ip: [{ nic: 'eth0' }], nameservers: ['10.0.0.2'] });
    expect(setting('ip=eth1:dhcp nameserver=10.0.0.1', profile)).toMatchObject({
      ip: [{ nic: 'eth1' }],
      nameservers: ['10.0.0.1', '10.0.0.2'],
    });
  });

  it('knows which sources are on the network', () => {
    for (const source of ['cd:', 'usb:/dev/sdb', 'disk:LABEL=x', 'tape:', null, 'nonsense'])
      expect(isRemote(source)).toBe(false);
    for (const source of ['nfs://a/b', 'https://a/b', 'iscsi://a/b']) expect(isRemote(source)).toBe(true);
  });
});

describe('the profile’s network', () => {
  async function load(text: string) {
    await using work = await scratch('test');
    const file = join(work.path, 'own.yaml');
    await writeFile(file, `name: own\n${text}`);
    return await loadProfile(file);
  }

  it('may be one word or a list', async () => {
    expect(networkWords((await load('network: { ip: dhcp }')).network)).toEqual({ ip: ['dhcp'] });
    const several =
      'network: { ip: [eth0:dhcp, "10.0.0.5:::24::vlan5:none"], vlan: [vlan5:eth1], ntp: [time.example] }';
    expect(networkWords((await load(several)).network)).toEqual({
      ip: ['eth0:dhcp', '10.0.0.5:::24::vlan5:none'],
      vlan: ['vlan5:eth1'],
      ntp: ['time.example'],
    });
  });

  it('tells every word it does not understand, with its place', async () => {
    const wrong = load('network:\n  ip: [eth0:dhcp, eth0]\n  vlan: [vlan5]\n  ntp: ["a b"]\n');
    await expect(wrong).rejects.toMatchObject({
      problems: [
        { code: 'profile.network', where: expect.stringMatching(/own\.yaml:3:19$/) },
        { code: 'profile.network', where: expect.stringMatching(/own\.yaml:4:10$/) },
        { code: 'profile.network', where: expect.stringMatching(/own\.yaml:5:9$/) },
      ],
    });
  });
});

describe('the clock', () => {
  const mark = Buffer.from('12345678');
  /** A server's answer with that time, in NTP's seconds. */
  function answer(seconds: number, change: (bytes: Buffer) => void = () => {}): Buffer {
    const bytes = Buffer.alloc(48);
    bytes.set([0x24, 2]);
    mark.copy(bytes, 24);
    bytes.writeUInt32BE(seconds, 40);
    bytes.writeUInt32BE(2 ** 31, 44);
    change(bytes);
    return bytes;
  }

  it('reads NTP’s time, of this era and the next', () => {
    expect(parseNtp(answer(3_976_214_400), mark)).toBe(Date.UTC(2026, 0, 1) + 500);
    expect(parseNtp(answer(1_000_000), mark)).toBe(Date.UTC(2036, 1, 7, 6, 28, 16) + 1_000_000_500);
  });

  it.each<[string, (bytes: Buffer) => void]>([
    ['an answer to another question', (bytes) => bytes.fill(1, 24, 32)],
    ['a server that has no time itself', (bytes) => bytes.fill(0xe4, 0, 1)],
    ['a server that refuses', (bytes) => bytes.fill(0, 1, 2)],
    ['another client', (bytes) => bytes.fill(0x23, 0, 1)],
  ])('believes no time of %s', (_name, change) => expect(parseNtp(answer(3_976_214_400, change), mark)).toBeNull());

  it('takes any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void parseNtp(Buffer.from(bytes), mark)));
  });

  it('asks a time server', async () => {
    const server = createSocket('udp4').bind(0, '127.0.0.1');
    await once(server, 'listening');
    server.on('message', (question, { port, address }) => {
      const bytes = answer(3_976_214_400, (one) => question.copy(one, 24, 40, 48));
      server.send(bytes, port, address);
    });
    const time = (await askNtp('127.0.0.1', server.address().port)) ?? 0;
    server.close();
    expect(Math.floor(time / 60_000)).toBe(Date.UTC(2026, 0, 1) / 60_000);
  });

  it('asks a web server, whatever it answers', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(404, { date: 'Thu, 01 Jan 2026 00:00:00 GMT' }).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(await askHttp(`http://127.0.0.1:${port}`)).toBe(Date.UTC(2026, 0, 1));
    server.close();
    expect(await askHttp(`http://127.0.0.1:${port}`)).toBeNull();
  });
});
