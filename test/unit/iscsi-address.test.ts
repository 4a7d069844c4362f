import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseIscsi } from '../../initramfs/sources/iscsi-address.ts';
import { SourceError } from '../../initramfs/sources/source.ts';

const T = 'iqn.2024-01.lan.test:store.1';

describe('addresses of iSCSI', () => {
  test.each([
    [`iscsi:10.0.2.2::3260:1:${T}`, '10.0.2.2', 3260, 1, '/'],
    [`iscsi:store.lan:6:::${T}`, 'store.lan', 3260, null, '/'],
    [`iscsi:[fe80::1]::860:000a-0000-0000-0000:${T}`, 'fe80::1', 860, 10, '/'],
    [`iscsi:store::::${T}/back%20up`, 'store', 3260, null, '/back up'],
    [`iscsi://anna:x@store:99/${T}`, 'store', 99, null, '/'],
    [`iscsi://[fe80::1]/${T}/12/a/b`, 'fe80::1', 3260, 12, '/a/b'],
  ])('%s', (text, host, port, lun, folder) => {
    expect(parseIscsi(new URL(text))).toEqual({ host, port, target: T, lun, folder, initiator: null });
  });

  test('the initiator may be named', () => {
    const address = new URL(`iscsi:store::::${T}?initiator=iqn.2024-01.lan.test:me`);
    expect(parseIscsi(address)).toMatchObject({ target: T, initiator: 'iqn.2024-01.lan.test:me' });
  });

  test.each(['iscsi:', 'iscsi:store', `iscsi:store:17:::${T}`, 'iscsi://store/', 'iscsi://store/x/1'])(
    '%s is none',
    (text) => {
      expect(() => parseIscsi(new URL(text))).toThrow('names no disk');
    },
  );

  test('any text is an address or an error in words', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (!URL.canParse(`iscsi:${text}`)) return;
        try {
          expect(parseIscsi(new URL(`iscsi:${text}`)).target).toMatch(/^(iqn|eui|naa)\./i);
        } catch (error) {
          expect(error).toBeInstanceOf(SourceError);
        }
      }),
    );
  });
});
