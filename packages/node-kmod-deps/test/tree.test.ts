import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { kernelTree } from '../../../test/kernel-fixture.ts';
import { KmodError, ModuleTree } from '../src/index.ts';

const DEP = [
  'kernel/drivers/scsi/sd_mod.ko: kernel/lib/crc-t10dif.ko kernel/drivers/scsi/scsi_mod.ko kernel/drivers/scsi/scsi_common.ko',
  'kernel/drivers/scsi/scsi_mod.ko: kernel/drivers/scsi/scsi_common.ko',
  'kernel/drivers/scsi/scsi_common.ko:',
  'kernel/lib/crc-t10dif.ko:',
  'kernel/drivers/net/r8169.ko.xz: kernel/drivers/net/phy/libphy.ko.zst',
  'kernel/drivers/net/phy/libphy.ko.zst:',
  'kernel/drivers/net/phy/realtek.ko.gz: kernel/drivers/net/phy/libphy.ko.zst',
  '/opt/dkms/Own-Driver.ko:',
];

function tree(
  texts: Record<string, string | string[]> = {},
  config: { name: string; text: string }[] = [],
): ModuleTree {
  const all = { 'modules.dep': DEP, ...texts };
  const joined = Object.entries(all).map(([file, text]) => [
    file,
    Array.isArray(text) ? text.map((line) => `${line}\n`).join('') : text,
  ]);
  return ModuleTree.fromTexts(Object.fromEntries(joined), { directory: '/lib/modules/6.1', config });
}

describe('names', () => {
  it.each(['crc-t10dif', 'crc_t10dif', 'kernel/lib/crc-t10dif.ko', '/lib/modules/6.1/kernel/lib/crc_t10dif.ko.zst'])(
    'knows %s',
    (name) => {
      expect(tree().has(name)).toBe(true);
      expect(tree().path(name)).toBe('kernel/lib/crc-t10dif.ko');
    },
  );

  it('keeps upper case apart, as the kernel does', () => {
    expect(tree().has('Own_Driver')).toBe(true);
    expect(tree().has('own_driver')).toBe(false);
  });

  it('finds files inside and outside of the directory', () => {
    expect(tree().file('sd_mod')).toBe('/lib/modules/6.1/kernel/drivers/scsi/sd_mod.ko');
    expect(tree().file('Own-Driver')).toBe('/opt/dkms/Own-Driver.ko');
    expect(tree().file('nothing')).toBeUndefined();
  });

  it('takes the module below updates/ where there are two, as depmod does', () => {
    const two = tree({
      'modules.dep': ['kernel/a.ko:', 'updates/a.ko: kernel/b.ko', 'kernel/b.ko:', 'kernel/x/a.ko:'],
    });
    expect(two.path('a')).toBe('updates/a.ko');
    expect(two.hard('a')).toEqual(['b']);
    expect(two.names).toEqual(['a', 'b']);
  });
});

describe('dependencies', () => {
  it('gives hard ones in the order of modules.dep, and those that are direct', () => {
    expect(tree().hard('sd_mod')).toEqual(['crc_t10dif', 'scsi_mod', 'scsi_common']);
    expect(tree().direct('sd_mod')).toEqual(['crc_t10dif', 'scsi_mod']);
  });

  it('inserts soft ones before and after, and hard ones alone when asked', () => {
    const soft = tree({ 'modules.softdep': ['softdep sd_mod pre: realtek post: Own-Driver'] });
    expect(soft.loadOrder('sd_mod')).toEqual([
      'scsi_common',
      'scsi_mod',
      'crc_t10dif',
      'libphy',
      'realtek',
      'sd_mod',
      'Own_Driver',
    ]);
    expect(soft.loadOrder('sd_mod', { soft: false })).toEqual(['scsi_common', 'scsi_mod', 'crc_t10dif', 'sd_mod']);
  });

  it('follows only the first softdep line when it loads, all of them when it gathers', () => {
    const cifs = tree({
      'modules.softdep': ['softdep r8169 realtek', 'softdep r8169 pre: scsi_mod', 'softdep r8169 post: crc_t10dif'],
    });
    expect(cifs.loadOrder('r8169')).toEqual(['libphy', 'r8169']);
    expect(cifs.allSoft('r8169')).toEqual(['realtek', 'scsi_mod', 'crc_t10dif']);
  });

  it('does not run in circles where soft dependencies do', () => {
    const circle = tree({ 'modules.softdep': ['softdep scsi_mod pre: libphy', 'softdep libphy post: scsi_mod'] });
    expect(circle.loadOrder('scsi_mod')).toEqual(['scsi_common', 'libphy', 'scsi_mod']);
  });

  it('obeys modprobe.d: install, softdep, alias, blacklist', () => {
    const configured = tree({ 'modules.softdep': ['softdep r8169 pre: realtek'] }, [
      { name: 'b.conf', text: 'alias eth0 r8169\nblacklist own-driver\n' },
      { name: 'a.conf', text: '# none\ninstall sd_mod /bin/true \\\n  yes\nsoftdep r8169 post: crc-t10dif\n' },
    ]);
    expect(configured.loadOrder('eth0')).toEqual(['libphy', 'r8169', 'crc_t10dif']);
    expect(configured.probe('sd_mod').at(-1)).toEqual({ action: 'install', name: 'sd_mod', command: '/bin/true yes' });
    expect(configured.isBlacklisted('own_driver')).toBe(true);
  });

  it('names what it does not know', () => {
    for (const ask of [() => tree().hard('nosuch'), () => tree().probe('nosuch'), () => tree().loadOrder('a b')]) {
      expect(ask).toThrow(expect.objectContaining({ code: 'module.unknown' }));
    }
  });
});

describe('lookup', () => {
  const texts = {
    'modules.alias': ['alias pci:v00008086d* r8169', 'alias crypto-x[a-b]* crc_t10dif', 'alias scsi:t-0x00* sd_mod'],
    'modules.symbols': ['alias symbol:scsi_add scsi_mod'],
    'modules.builtin': ['kernel/fs/ext4/ext4.ko', 'kernel/drivers/input/atkbd.ko'],
    'modules.builtin.modinfo': 'ext4.alias=fs-ext4\0ext4.license=GPL\0atkbd.alias=serio:ty06pr*\0',
  };

  it.each([
    ['pci:v00008086d00002922sv', ['r8169']],
    ['crypto-xb', ['crc_t10dif']],
    ['crypto_xbc', ['crc_t10dif']],
    ['crypto-xc', []],
    ['scsi:t-0x00', ['sd_mod']],
    ['symbol:scsi_add', ['scsi_mod']],
    ['fs-ext4', ['ext4']],
    ['serio:ty06pr00id00ex00', ['atkbd']],
    ['ext4', ['ext4']],
    ['', []],
  ])('%s', (alias, names) => {
    expect(tree(texts).matchAlias(alias)).toEqual(names);
  });

  it('tells built-in from loadable', () => {
    expect(tree(texts).lookup('fs-ext4')).toEqual([{ name: 'ext4', builtin: true }]);
    expect(tree(texts).isBuiltin('kernel/fs/ext4/ext4.ko')).toBe(true);
    expect(tree(texts).isBuiltin('sd_mod')).toBe(false);
    expect(tree(texts).probe('ext4')).toEqual([{ action: 'builtin', name: 'ext4' }]);
  });

  it('selects by glob over names and over what aliases look like', () => {
    const names = (glob: string) =>
      tree(texts)
        .select(glob)
        .map((target) => target.name);
    expect(names('scsi-*')).toEqual(['scsi_mod', 'scsi_common']);
    expect(names('pci:v00008086*')).toEqual(['r8169']);
    expect(names('fs-*')).toEqual(['ext4']);
  });

  it('works without any file but modules.dep', () => {
    const bare = tree();
    expect(bare.matchAlias('pci:v1')).toEqual([]);
    expect(bare.builtin.size + bare.symbols.size + bare.order.length).toBe(0);
  });
});

describe('closure', () => {
  it('tells for each module how it came in, hard before soft before family', () => {
    const closure = tree({
      'modules.alias': ['alias mdio:0001* realtek'],
      'modules.softdep': ['softdep r8169 pre: sd_mod'],
      'modules.weakdep': ['weakdep sd_mod Own-Driver'],
      'modules.builtin': ['kernel/lib/crc32.ko'],
    }).closure(['r8169', 'nosuch', 'crc32']);
    expect([...closure.modules.values()].map(({ name, kind, via }) => [name, kind, via.join(' > ')])).toEqual([
      ['r8169', 'named', ''],
      ['libphy', 'hard', 'r8169'],
      ['sd_mod', 'soft', 'r8169'],
      ['realtek', 'family', 'r8169 > libphy'],
      ['crc_t10dif', 'hard', 'r8169 > sd_mod'],
      ['scsi_mod', 'hard', 'r8169 > sd_mod'],
      ['scsi_common', 'hard', 'r8169 > sd_mod > scsi_mod'],
      ['Own_Driver', 'weak', 'r8169 > sd_mod'],
    ]);
    expect([...closure.builtin.keys()]).toEqual(['crc32']);
    expect(closure.unknown).toEqual(['nosuch']);
  });

  it('leaves out what it is told to', () => {
    const closure = tree({ 'modules.softdep': ['softdep r8169 pre: realtek'] }).closure(['r8169'], { soft: false });
    expect([...closure.modules.keys()]).toEqual(['r8169', 'libphy']);
    expect([
      ...tree()
        .closure(['sd_mod'], { without: new Set(['scsi_mod']) })
        .modules.keys(),
    ]).toEqual(['sd_mod', 'crc_t10dif']);
  });

  it('of a real kernel brings what only the source says is asked for', async () => {
    const { modules, builtin } = (await kernelTree('bookworm-amd64')).closure(['vfat', 'md_mod', 'ext4', 'tg3']);
    const kinds = (names: string[]) => names.map((name) => modules.get(name)?.kind);
    expect(kinds(['nls_ascii', 'raid456', 'crc32c_intel', 'broadcom'])).toEqual(['family', 'family', 'soft', 'family']);
    expect(modules.get('raid456')?.wanted).toMatch(/^md-/);
    expect(modules.has('snd')).toBe(false);
    expect(builtin.size).toBeLessThan(10);
  });
});

describe('modules.dep that is not whole', () => {
  it.each([
    ['cut in a line', 'kernel/a.ko: kernel/b.ko\nkernel/b.k', 'tree.truncated'],
    ['cut at a line', 'kernel/a.ko: kernel/b.ko\n', 'tree.truncated'],
    ['cyclic', 'kernel/a.ko: kernel/b.ko\nkernel/b.ko: kernel/a.ko\n', 'tree.cyclic'],
    ['a module that needs itself', 'kernel/a.ko: kernel/a.ko\n', 'tree.cyclic'],
    ['no modules.dep at all', 'hello\n', 'tree.malformed'],
    ['no module file', 'hello: you\n', 'tree.malformed'],
  ])('%s', (_, text, code) => {
    const open = () => tree({ 'modules.dep': text });
    expect(open).toThrow(KmodError);
    expect(open).toThrow(expect.objectContaining({ code, hint: expect.stringContaining('depmod') }));
  });
});

it('the entry for an initramfs bundles without any Node module', async () => {
  const entry = join(import.meta.dirname, '../src/tree.ts');
  const options: BuildOptions = { entryPoints: [entry], bundle: true, platform: 'neutral', logLevel: 'silent' };
  const { errors, outputFiles } = await build({ ...options, write: false });
  expect(errors).toEqual([]);
  expect(outputFiles?.[0]?.text).not.toMatch(/node:|lzma/);
});
