import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grubConfig, helpText, isolinuxConfig, loopbackConfig, type MenuFacts, menuModel } from '../../boot/menu.ts';
import { run } from '../../builder/run.ts';
import { scratch } from '../../builder/scratch.ts';
import { BOOT_PARAMETERS } from '../../contract/boot-parameters.ts';
import { parseBootParameters } from '../../contract/command-line.ts';
import { MindiError } from '../../contract/error.ts';
import { MENU_DEFAULTS, MENU_FACTS } from '../medium-parts.ts';

const facts = (boot: Partial<MenuFacts['boot']> = {}, more: Partial<MenuFacts> = {}): MenuFacts => ({
  name: 'standalone',
  generator: 'mindi 4.0.0',
  machine: 'web01',
  epoch: 1700000000,
  ...MENU_FACTS,
  boot: { ...MENU_DEFAULTS, ...boot },
  ...more,
});

const appends = (config: string) => config.match(/(?<=^ *APPEND ).*$/gm) ?? [];
/** The menu entries' texts, in their order. */
const labels = (config: string) =>
  (config.match(/(?<=MENU LABEL |menuentry ').*?(?='|$)/gm) ?? []).map((label) => label.replace('^', ''));

async function grubAccepts(config: string): Promise<void> {
  await using work = await scratch('test');
  const file = join(work.path, 'grub.cfg');
  await writeFile(file, config);
  await run('grub-script-check', [file]);
}

describe('boot menu', () => {
  it('has the same entries and texts on both loaders', async () => {
    const menu = menuModel(facts());
    const [isolinux, grub] = await Promise.all([isolinuxConfig(menu), grubConfig(menu)]);
    expect(labels(isolinux)).toEqual(menu.entries.map(({ label }) => label));
    expect(labels(grub)).toEqual(labels(isolinux));
    for (const { append } of menu.entries) {
      if (append)
        expect(grub).toContain(
          `linux /mindi/vmlinuz ${append
            .split(' ')
            .map((word) => `'${word}'`)
            .join(' ')} "$medium"\n`,
        );
    }
  });

  it('gives each mode its word, the screen and the serial port', async () => {
    expect(appends(await isolinuxConfig(menuModel(facts())))).toEqual([
      'console=tty0 console=ttyS0,115200 quiet interactive_mode',
      'console=tty0 console=ttyS0,115200 expert_mode',
      'console=tty0 console=ttyS0,115200 quiet compare_mode',
      'console=tty0 console=ttyS0,115200 quiet nuke_mode',
      'console=tty0 console=ttyS0,115200 quiet expert_mode mindi.check',
    ]);
  });

  it('waits 30 seconds for the default, or for ever', async () => {
    const [thirty, ever] = [menuModel(facts()), menuModel(facts({ timeout: 0 }))];
    expect(await isolinuxConfig(thirty)).toMatch(/^TIMEOUT 300$/m);
    expect(await grubConfig(thirty)).toMatch(/^set timeout=30$/m);
    expect(await isolinuxConfig(ever)).toMatch(/^TIMEOUT 0$/m);
    expect(await grubConfig(ever)).toMatch(/^set timeout=-1$/m);
  });

  it('marks the default entry the profile names', async () => {
    const menu = menuModel(facts({ default: 'local' }));
    expect(await isolinuxConfig(menu)).toMatch(/LABEL local\n.*\n {2}MENU DEFAULT/);
    expect(await grubConfig(menu)).toMatch(/^set default=local$/m);
  });

  it('speaks on the serial port it is told, first of all', async () => {
    const menu = menuModel(facts({ serial: 'ttyS1,9600n8' }));
    expect(await isolinuxConfig(menu)).toMatch(/^SERIAL 1 9600\n/);
    expect(await grubConfig(menu)).toContain('if serial --unit=1 --speed=9600; then');
    expect(appends(await isolinuxConfig(menu))[0]).toContain('console=ttyS1,9600n8');
  });

  it('keeps off the serial port when there shall be none', async () => {
    const menu = menuModel(facts({ serial: false }));
    expect(await isolinuxConfig(menu)).not.toMatch(/serial|ttyS/i);
    expect(await grubConfig(menu)).not.toMatch(/if serial|ttyS/);
  });

  it('explains every entry on one screen of 80x24', async () => {
    const menu = menuModel(facts());
    const lines = (await helpText(menu)).trimEnd().split('\n');
    expect(lines.length).toBeLessThan(24);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(80);
    for (const name of ['interactive', 'expert', 'compare', 'nuke', 'check', 'local', 'reboot'])
      expect(lines.join('\n')).toMatch(new RegExp(`^${name} +\\S`, 'm'));
    for (const { name } of BOOT_PARAMETERS.filter(({ help }) => help)) expect(lines.join('\n')).toContain(name);
  });

  it('fits isolinux onto a terminal of 80x24', async () => {
    const config = await isolinuxConfig(menuModel(facts()));
    const rows = [...config.matchAll(/^MENU \w+ROW (\d+)$/gm)].map(([, row]) => Number(row));
    expect(Math.max(...rows)).toBeLessThan(24);
  });

  const memtest = { bios: '/boot/memtest.bin', uefi: null };

  it('tests the memory by the loaders that have a program for it', async () => {
    const menu = menuModel(facts({}, { memtest }));
    expect(await isolinuxConfig(menu)).toMatch(
      /^LABEL memtest\n.*\n {2}LINUX \/boot\/memtest\.bin\n {2}APPEND console=/m,
    );
    expect(labels(await grubConfig(menu))).toEqual(menuModel(facts()).entries.map(({ label }) => label));
  });

  it.each([
    ['nfs://backup/web01', 'nfs', 'nfs://backup/web01'],
    ['https://user:secret@backup.example.org/a?token=secret#secret', 'iso', 'https://backup.example.org/a'],
    [`cifs://nas/${'x'.repeat(80)}`, 'iso', 'cifs://nas/xxxxx'],
  ])('has an entry for restore data at %s, the default, with the network up', async (source, name, shown) => {
    const menu = menuModel(facts({}, { source, memtest }));
    expect(menu.default).toBe(name);
    expect(menu.entries[0]).toMatchObject({ name, append: expect.stringMatching(/interactive_mode ip=dhcp$/) });
    const texts = await Promise.all([isolinuxConfig(menu), grubConfig(menu), helpText(menu)]);
    for (const text of texts) expect(text).toContain(shown);
    expect(texts.join()).not.toContain('secret');
    expect(menu.entries[0]?.label.length).toBeLessThanOrEqual(66);
    const help = texts[2]?.trimEnd().split('\n') ?? [];
    expect(help.length).toBeLessThan(24);
    expect(Math.max(...help.map((line) => line.length))).toBeLessThan(80);
  });

  it.each([null, '/srv/backup', 'file:///srv/backup', 'nfs:'])('has none for restore data at %s', (source) => {
    expect(menuModel(facts({}, { source })).entries).toEqual(menuModel(facts()).entries);
  });

  it('resets a machine by one keyword, with its warning, and only when that is said', async () => {
    const menu = menuModel(facts({ menu: 'restore', default: 'RESTORE', timeout: 1000 }));
    expect(appends(await isolinuxConfig(menu))).toEqual([
      'console=tty0 console=ttyS0,115200 quiet RESTORE_mode',
      'console=tty0 console=ttyS0,115200 expert_mode',
      'console=tty0 console=ttyS0,115200 quiet expert_mode mindi.check',
    ]);
    for (const text of [await isolinuxConfig(menu), await helpText(menu)])
      expect(text).toContain('CAUTION: THIS WILL ERASE YOUR WHOLE DISK !!!');
    expect(parseBootParameters(menu.entries[0]?.append ?? '').mode).toBe('nuke');
    const wrong = [facts({ menu: 'restore' }), facts({ default: 'RESTORE' })];
    for (const one of wrong) expect(() => menuModel(one)).toThrow(expect.objectContaining({ code: 'boot.default' }));
  });

  it('is locked against editing when that is asked for, and then only', async () => {
    const [open, locked] = [menuModel(facts()), menuModel(facts({ lock: true }))];
    expect(await isolinuxConfig(open)).not.toMatch(/NOESCAPE|ALLOWOPTIONS/);
    expect(await isolinuxConfig(locked)).toMatch(/^NOESCAPE 1\nALLOWOPTIONS 0$/m);
    expect(await grubConfig(open)).not.toMatch(/superusers|unrestricted/);
    const grub = await grubConfig(locked);
    expect(grub).toMatch(/^set superusers=""\nexport superusers$/m);
    const entries = grub.match(/^menuentry .*$/gm) ?? [];
    expect(entries.filter((line) => line.includes(' --unrestricted {'))).toHaveLength(locked.entries.length);
    await grubAccepts(grub);
  });

  it('never has two entries with one key, and every key is in its label', () => {
    for (const one of [facts({}, { source: 'nfs://a/b', memtest }), facts({ menu: 'restore', default: 'expert' })]) {
      const { entries } = menuModel(one);
      expect(new Set(entries.map(({ key }) => key)).size).toBe(entries.length);
      for (const { key, label } of entries) expect(label.toLowerCase()).toContain(key);
    }
  });

  it('boots from its ISO file by loopback.cfg', async () => {
    const config = await loopbackConfig();
    expect(config).toContain('set medium="mindi.iso=$iso_path"\nsource /boot/grub/grub.cfg');
    await grubAccepts(config);
  });

  it('survives a title of any length and alphabet', () => {
    const { title } = menuModel(facts({}, { machine: 'büro'.repeat(40) }));
    expect(title).toMatch(/^[\x20-\x7e]{1,74}$/);
  });

  it('passes parameters with quotes through GRUB as the kernel wants them', async () => {
    const menu = menuModel(facts({ append: ['dyndbg="file a.c +p"', "it's", '$(reboot)', 'a;b'] }));
    const grub = await grubConfig(menu);
    expect(grub).toContain(String.raw`'dyndbg=file a.c +p' 'it'\''s' '$(reboot)' 'a;b'`);
    await grubAccepts(grub);
  });

  it('refuses parameters that no loader can carry', () => {
    const bad = [['a\nMENU TITLE x'], ['ü'], [''], ['x'.repeat(1900)]];
    for (const append of bad) expect(() => menuModel(facts({ append }))).toThrow(MindiError);
  });

  it('writes a grub.cfg GRUB can read, whatever the parameters', async () => {
    const word = fc.string({ minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 3 }), async (append) => {
        let menu: ReturnType<typeof menuModel>;
        try {
          menu = menuModel(facts({ append }));
        } catch (error) {
          expect(error).toBeInstanceOf(MindiError);
          return;
        }
        await grubAccepts(await grubConfig(menu));
      }),
      { numRuns: 30 },
    );
  });
});
