import fc from 'fast-check';
import { ModuleTree } from 'node-kmod-deps';
import { describe, expect, it } from 'vitest';
import { type ResolveDriversOptions, resolveDrivers } from '../../builder/drivers/resolve.ts';
import { MindiError } from '../../contract/error.ts';
import { failure, realTree } from '../driver-fixture.ts';

describe('include and exclude', () => {
  const options = async (more: Partial<ResolveDriversOptions>): Promise<ResolveDriversOptions> => ({
    tree: await realTree('bookworm-amd64'),
    sets: [],
    where: (list, i) => `p.yaml:${list}:${i}`,
    ...more,
  });
  const names = async (more: Partial<ResolveDriversOptions>) => [
    ...(await resolveDrivers(await options(more))).modules.keys(),
  ];

  it.each([
    ['a name, either dash', ['sd-mod'], ['sd_mod', 'scsi_mod']],
    ['a path', ['kernel/drivers/scsi/sd_mod.ko.xz'], ['sd_mod']],
    ['a glob over names', ['raid[01]*'], ['raid0', 'raid1', 'raid10']],
    ['a directory', ['drivers/cdrom/'], ['cdrom']],
    ['a directory from the root', ['/kernel/drivers/cdrom/'], ['cdrom']],
    ['a directory with wildcards', ['arch/*/crypto/'], ['aesni_intel']],
    ['a glob over paths', ['drivers/net/ethernet/**/*_cs'], ['pcnet_cs', 'xirc2ps_cs']],
    ['an alias of no colon', ['fs-btrfs'], ['btrfs']],
    ['an alias as a pattern', ['pci:v00001000d0000005B*'], ['megaraid_sas']],
    ['the very device', ['pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01'], ['ahci', 'libahci']],
    ['later lines taking back', ['drivers/cdrom/', '-cdrom', 'fs-iso9660', 'raid*', '-raid1'], ['isofs', 'raid10']],
    ['a built-in driver', ['atkbd', 'cdrom'], ['cdrom']],
  ])('%s', async (_, include, some) => {
    expect(await names({ include })).toEqual(expect.arrayContaining(some));
  });

  it('the last line that means a module decides', async () => {
    expect(await names({ include: ['cdrom', 'raid0', '-raid?', 'raid0'] })).toContain('raid0');
    expect(await names({ include: ['cdrom', 'raid0', '-raid?'] })).not.toContain('raid0');
  });

  it('a directory is not another whose name begins the same', async () => {
    const included = await names({ include: ['drivers/net/phy/', '-drivers/net/ph/'] });
    expect(included).toContain('libphy');
    expect(await names({ include: ['drivers/usb/mon/'] })).toEqual(['usb_common', 'usbcore', 'usbmon']);
  });

  it('what is excluded goes, with what cannot work without it, and both are told apart', async () => {
    const { modules, dropped, essential } = await resolveDrivers(
      await options({ sets: ['usb'], exclude: ['usb-storage'] }),
    );
    expect(modules.has('usb_storage') || modules.has('uas') || modules.has('ums_realtek')).toBe(false);
    expect(dropped.get('uas')).toBe('usb_storage');
    expect(dropped.has('usb_storage')).toBe(false);
    expect(essential).toContain('xhci_pci');
  });

  it('an exclude also stops soft dependencies and families', async () => {
    const more = { include: ['ext4', 'isofs'], exclude: ['crc32c_intel', 'nls_*'] };
    const left = await names(more);
    expect(left).toEqual(['cdrom', 'crc16', 'crc32c_generic', 'ext4', 'isofs', 'jbd2', 'mbcache']);
  });

  it('an exclude may mean what this kernel does not have', async () => {
    expect(await names({ include: ['cdrom'], exclude: ['nosuch', 'snd_nosuch*', 'drivers/nosuch/'] })).toEqual([
      'cdrom',
    ]);
  });

  it('names all that is unknown at once, each with its place and the nearest name', async () => {
    const error = await failure(
      resolveDrivers(await options({ include: ['megaraid-sass', 'cdrom', 'drivers/nosuch/'] })),
    );
    expect(error.problems.map(({ code, where, hint }) => [code, where, hint])).toEqual([
      ['drivers.unknown', 'p.yaml:include:0', 'Did you mean "megaraid_sas"?'],
      ['drivers.unknown', 'p.yaml:include:2', 'Remove it, or choose a kernel that has it.'],
    ]);
    expect(error.exitCode).toBe(2);
  });

  it('refuses to include and exclude the same thing', async () => {
    const error = await failure(resolveDrivers(await options({ include: ['uas', 'scsi-mod'], exclude: ['scsi_mod'] })));
    expect(error.problems.map(({ code, message }) => `${code}: ${message}`)).toEqual([
      'drivers.conflict: uas is included but cannot work without scsi_mod, which is excluded',
      'drivers.conflict: scsi-mod is both included and excluded',
    ]);
  });

  it.each(['', '-', '--x', 'two words', 'symbol:', 'symbol:a b c'])('refuses %j', async (text) => {
    const error = await failure(resolveDrivers(await options({ include: [text] })));
    expect([error.code, error.where]).toEqual(['drivers.selector', 'p.yaml:include:0']);
  });

  it('takes any other text for what it is, and ends', async () => {
    const tree = ModuleTree.fromTexts({
      'modules.dep': 'kernel/drivers/scsi/a-b.ko: kernel/c.ko\nkernel/c.ko:\nupdates/d.ko.xz:\n',
      'modules.alias': 'alias pci:v1* a_b\n',
      'modules.builtin': 'kernel/e.ko\n',
    });
    const piece = fc.constantFrom(
      '-',
      '*',
      '**',
      '/',
      '[',
      ']',
      '[z-a]',
      '?',
      ':',
      'symbol:',
      ' in ',
      'drivers',
      'a',
      '\\',
      '.ko',
    );
    const text = fc
      .array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 12 })
      .map((parts) => parts.join(''));
    const property = fc.asyncProperty(
      fc.array(text, { maxLength: 3 }),
      fc.array(text, { maxLength: 2 }),
      async (include, exclude) => {
        await resolveDrivers({ tree, sets: [], include, exclude }).catch((error) =>
          expect(error).toBeInstanceOf(MindiError),
        );
      },
    );
    await fc.assert(property, { numRuns: 300 });
    const endless = resolveDrivers({ tree, sets: [], include: [`${'**/'.repeat(40)}nosuch`] });
    expect((await failure(endless)).code).toBe('drivers.unknown');
  });

  it('refuses a minus below exclude', async () => {
    const error = await failure(resolveDrivers(await options({ exclude: ['-sd_mod'] })));
    expect([error.code, error.where]).toEqual(['drivers.selector', 'p.yaml:exclude:0']);
  });
});
