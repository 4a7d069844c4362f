import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bootCard, parseLocation } from '../../initramfs/address.ts';

const USUAL = 'mindi/stage2.squashfs';

describe('network on the kernel command line', () => {
  it.each([
    ['01-52-54-00-AB-34-56', '52:54:00:ab:34:56'],
    ['01-52:54:00:ab:34:56', '52:54:00:ab:34:56'],
    ['52:54:00:ab:34:56', '52:54:00:ab:34:56'],
    ['20-52-54-00-12-34-56', null],
    ['eth0', null],
  ])('BOOTIF=%s', (value, wanted) => expect(bootCard(value)).toBe(wanted));

  it.each([
    ['http://10.0.2.2/', 'http://10.0.2.2/mindi/stage2.squashfs'],
    ['http://10.0.2.2:8080/a/b', 'http://10.0.2.2:8080/a/b/mindi/stage2.squashfs'],
    ['http://host/a/boot.ipxe', 'http://host/a/mindi/stage2.squashfs'],
    ['https://host/x/mindi/stage2.squashfs', 'https://host/x/mindi/stage2.squashfs'],
    ['tftp://10.0.2.2/boot.ipxe', 'tftp://10.0.2.2/mindi/stage2.squashfs'],
    ['tftp://10.0.2.2', 'tftp://10.0.2.2/mindi/stage2.squashfs'],
    ['nfs:server:/srv/netboot', 'nfs://server/srv/netboot/mindi/stage2.squashfs'],
    ['nfs://server:2049/srv/other.squashfs', 'nfs://server:2049/srv/other.squashfs'],
  ])('mindi.stage2=%s', (value, wanted) => expect(parseLocation(value, USUAL)?.url).toBe(wanted));

  it('knows server, port and folder of a place', () => {
    expect(parseLocation('nfs://10.0.2.2:12049/srv', USUAL)).toMatchObject({
      ...{ scheme: 'nfs', host: '10.0.2.2', port: '12049', folder: '/srv/', file: USUAL },
    });
    for (const wrong of ['ftp://a/b', 'http://', '/path', 'nfs:', 'file:///etc/passwd', 'tftp://a/%zz'])
      expect(parseLocation(wrong, USUAL)).toBeNull();
  });

  it('never fails', () => {
    const text = fc.string({ maxLength: 40 });
    fc.assert(
      fc.property(text, (value) => {
        bootCard(value);
        parseLocation(value, USUAL);
        parseLocation(`http://${value}`, USUAL);
        parseLocation(`nfs://server/${value}`, USUAL);
      }),
    );
  });
});
