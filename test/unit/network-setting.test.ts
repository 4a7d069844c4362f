import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type IpSetting, NETWORK_WORDS, type NetworkWord, noSetting } from '../../contract/network-setting.ts';

/** What one word makes of a network nothing was said of, and what is wrong with it. */
function read(word: NetworkWord, value: string) {
  const setting = noSetting();
  const wrong = NETWORK_WORDS[word](value, setting);
  return { ...setting, wrong };
}

describe('the network’s words', () => {
  it.each<[string, Partial<IpSetting>]>([
    ['dhcp', { auto: 'dhcp', nic: null, address: null }],
    ['any', { auto: 'dhcp' }],
    ['auto6', { auto: 'auto6' }],
    ['eth0:dhcp', { auto: 'dhcp', nic: 'eth0' }],
    ['eth0:dhcp6:1400', { auto: 'dhcp6', nic: 'eth0', mtu: 1400 }],
    ['eth0:dhcp:9000:52:54:00:00:00:01', { mtu: 9000, mac: '52:54:00:00:00:01' }],
    ['52-54-00-AB-34-56:dhcp', { auto: 'dhcp', nic: '52:54:00:ab:34:56' }],
    [':::::eth1:dhcp', { auto: 'dhcp', nic: 'eth1', address: null }],
    ['::::web01:eth1:auto6', { auto: 'auto6', nic: 'eth1', hostname: 'web01' }],
    [
      '10.0.2.15:10.0.2.2:10.0.2.3:255.255.255.0',
      { auto: null, address: '10.0.2.15', peer: '10.0.2.2', gateway: '10.0.2.3', prefix: 24, nic: null },
    ],
    [
      '10.1.2.3:::255.255.0.0:host:eth2:off',
      { address: '10.1.2.3', peer: null, gateway: null, prefix: 16, hostname: 'host', nic: 'eth2' },
    ],
    ['10.1.2.3::10.1.0.1:16::bond0.5:none', { prefix: 16, nic: 'bond0.5', gateway: '10.1.0.1' }],
    ['10.0.2.15:10.0.2.2:0.0.0.0:255.255.255.255', { gateway: null, prefix: 32 }],
    ['10.0.0.5::10.0.0.1:24::eth0:none:1400', { mtu: 1400 }],
    ['10.0.0.5::10.0.0.1:24::eth0:none:10.0.0.2:10.0.0.3', { nameservers: ['10.0.0.2', '10.0.0.3'], ntp: null }],
    ['10.0.0.5::10.0.0.1:24::eth0:none::10.0.0.3', { nameservers: ['10.0.0.3'] }],
    ['10.0.0.5::10.0.0.1:24::eth0:none:10.0.0.2::10.0.0.4', { nameservers: ['10.0.0.2'], ntp: '10.0.0.4' }],
    ['[2001:db8::5]::[2001:db8::1]:64::eth0:none', { address: '2001:db8::5', gateway: '2001:db8::1', prefix: 64 }],
    ['[2001:db8::5]', { address: '2001:db8::5', prefix: 64 }],
    [
      '[2001:db8::5]:::48::eth0:none:[2001:db8::53]',
      { address: '2001:db8::5', prefix: 48, nameservers: ['2001:db8::53'] },
    ],
    ['10.0.0.5:::24::eth0:dhcp', { address: '10.0.0.5', auto: 'dhcp' }],
  ])('ip=%s', (value, wanted) => {
    expect(read('ip', value)).toMatchObject({ wrong: null, off: false, ip: [wanted] });
  });

  it.each(['none', 'off'])('ip=%s leaves the network alone', (value) => {
    expect(read('ip', value)).toMatchObject({ wrong: null, off: true, ip: [] });
  });

  it.each([
    ['10.0.2.15', '"" is no netmask'],
    ['10.0.2.15:10.0.2.2:10.0.2.2:255.0.255.0', '"255.0.255.0" is no netmask'],
    ['10.0.2.15::10.0.2.2:33', '"33" is no netmask'],
    ['10.0.2.256:10.0.2.2:10.0.2.2:255.255.255.0', /^it is none of dhcp/],
    ['10.0.2.15::gateway:24', '"gateway" is no address'],
    ['10.0.2.15:::24::eth0:magic', /^"magic" is none of dhcp/],
    ['10.0.2.15:::24::-f:none', '"-f" is no name of a network card'],
    ['[2001:db8::5:::64', /^it is none of/],
    ['eth0', /^it is none of/],
    ['', /^it is none of/],
  ])('ip=%s is refused', (value, wrong) => {
    const expected = typeof wrong === 'string' ? wrong : expect.stringMatching(wrong);
    expect(read('ip', value)).toMatchObject({ wrong: expected, ip: [] });
  });

  it.each<[string, Partial<IpSetting>]>([
    ['eth0:dhcp', { nic: 'eth0', auto: 'dhcp' }],
    [
      'eth0:192.168.1.5:255.255.255.0:192.168.1.255:192.168.1.1',
      { nic: 'eth0', address: '192.168.1.5', prefix: 24, broadcast: '192.168.1.255', gateway: '192.168.1.1' },
    ],
  ])('ipconf=%s', (value, wanted) => expect(read('ipconf', value)).toMatchObject({ wrong: null, ip: [wanted] }));

  it.each([
    ['ipconf', 'eth0:192.168.1.5', '"" is no netmask'],
    ['ipconf', 'eth0', /NIC:dhcp/],
    ['vlan', 'vlan0:eth0', /between 1 and 4094/],
    ['vlan', 'vlan5', /VLAN:NIC/],
    ['bond', 'bond0', /BOND:NIC,NIC/],
    ['bond', 'bond0:eth0:mode', /no option of a bond/],
    ['bond', 'bond0:eth0:../x=1', /no option of a bond/],
    ['nameserver', 'ns.example.org', /no address/],
    ['ifname', 'lan', /NAME:MAC/],
    ['ifname', 'lan:52:54', /NAME:MAC/],
  ] as const)('%s=%s is refused', (word, value, wrong) => {
    expect(read(word, value).wrong).toMatch(wrong);
  });

  it('names VLANs, bonds, name servers and cards', () => {
    expect(read('vlan', 'vlan0005:eth0').vlans).toEqual([{ name: 'vlan0005', id: 5, nic: 'eth0' }]);
    expect(read('vlan', 'eth0.7').vlans).toEqual([{ name: 'eth0.7', id: 7, nic: 'eth0' }]);
    expect(
      read('bond', 'bond0:eth0,52-54-00-00-00-01:mode=802.3ad,arp_ip_target=10.0.0.1;10.0.0.2:9000').bonds,
    ).toEqual([
      {
        name: 'bond0',
        nics: ['eth0', '52:54:00:00:00:01'],
        options: [
          ['mode', '802.3ad'],
          ['arp_ip_target', '10.0.0.1,10.0.0.2'],
        ],
        mtu: 9000,
      },
    ]);
    expect(read('bond', 'bond0:eth0,eth1').bonds[0]?.options).toContainEqual(['mode', 'active-backup']);
    expect(read('nameserver', '[2001:db8::53]').nameservers).toEqual(['2001:db8::53']);
    expect(read('ifname', 'lan:52-54-00-12-34-56').names).toEqual([{ name: 'lan', mac: '52:54:00:12:34:56' }]);
  });

  it('understands or refuses any text', () => {
    const value = fc.array(
      fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom('eth0', 'dhcp', '10.0.0.1', '24', '[::1]')),
      {
        maxLength: 9,
      },
    );
    fc.assert(
      fc.property(
        fc.constantFrom<NetworkWord>('ip', 'ipconf', 'vlan', 'bond', 'nameserver', 'ifname'),
        value,
        (word, parts) => {
          const { wrong, ...setting } = read(word, parts.join(':'));
          expect(wrong === null).toBe(JSON.stringify(setting) !== JSON.stringify(noSetting()));
        },
      ),
      { numRuns: 1000 },
    );
  });
});
