import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ModuleTree } from 'node-kmod-deps';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fateNotes } from '../../builder/drivers/fates.ts';
import { hasCome, historicNames } from '../../builder/drivers/history.ts';
import { fateOf, knownModules, resolveNames } from '../../builder/drivers/names.ts';
import { resolveDrivers } from '../../builder/drivers/resolve.ts';
import { loadDriverSets } from '../../builder/drivers/sets.ts';
import { MindiError } from '../../contract/error.ts';
import { KERNELS, type KernelName, kernelTree } from '../kernel-fixture.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** The driver lists mindi had in its code in 2008, as a driver set. */
const LISTS = resolve('test/fixtures/profiles/mondo-2008-drivers.yaml');
const [lists] = await loadDriverSets([LISTS]);
const NAMES = (lists?.modules ?? []).map(({ text }) => text);

const scratch = temporaryFolder('names');
const cache = process.env.MINDI_CACHE;
beforeAll(() => {
  process.env.MINDI_CACHE = join(scratch, 'cache');
});
afterAll(async () => {
  if (cache === undefined) delete process.env.MINDI_CACHE;
  else process.env.MINDI_CACHE = cache;
});

const kernels = Object.keys(KERNELS) as KernelName[];
const rows = [...historicNames().values()];

/** `renamed uhci_hcd`. */
async function fate(name: string, kernel: KernelName = 'bookworm-amd64'): Promise<string> {
  const { status, targets } = fateOf(await kernelTree(kernel), name);
  return [status, ...targets.map((target) => target.name)].join(' ');
}

describe('the table', () => {
  it('has whole rows, each name once', () => {
    const file = readFileSync('builder/drivers/historic-names.tsv', 'utf8');
    const lines = file.split('\n').filter((line) => line && !line.startsWith('#'));
    expect(rows.length).toBe(lines.length);
    expect(lines.filter((line) => line.split('\t').length !== 6)).toEqual([]);
    for (const { name, today, how, since, source } of rows) {
      expect([name, how]).toEqual([name, expect.stringMatching(/^(renamed|replaced|split|gone)$/)]);
      expect([name, since]).toEqual([name, expect.stringMatching(/^(never|unknown|(by )?\d+\.\d+(\.\d+)?)$/)]);
      expect([name, today.length === 0]).toEqual([name, how === 'gone']);
      expect([name, source !== '' || since === 'never']).toEqual([name, true]);
    }
  });

  it('names as today’s modules only what real kernels have', async () => {
    const trees = await Promise.all(kernels.map(kernelTree));
    const isReal = (name: string) =>
      knownModules().has(name) || trees.some((tree) => tree.has(name) || tree.isBuiltin(name));
    expect(rows.flatMap(({ today }) => today).filter((name) => !isReal(name))).toEqual([]);
  });

  it.each(kernels)('calls no name old that %s has by that very name, unless it was to change later', async (kernel) => {
    const tree = await kernelTree(kernel);
    const there = rows.filter(({ name, how }) => how !== 'split' && (tree.has(name) || tree.isBuiltin(name)));
    expect(there.filter((row) => hasCome(row, tree))).toEqual([]);
    expect(there.map(({ name }) => name)).toContain(kernel.startsWith('trixie') ? 'reiserfs' : 'fscache');
  });
});

describe.each(kernels)('the driver lists of 2008 on %s', (kernel) => {
  it('hold no name that is not understood', async () => {
    const answers = await resolveNames(await kernelTree(kernel), NAMES);
    expect(NAMES.length).toBeGreaterThan(180);
    expect(answers.filter(({ status }) => status === 'unknown')).toEqual([]);
    const silent = answers.filter(({ status, note }) => ['renamed', 'gone', 'absent'].includes(status) && !note);
    expect(silent).toEqual([]);
  });

  it('work as includes and as a driver set, and tell in few lines what became of them', async () => {
    const tree = await kernelTree(kernel);
    const included = await resolveDrivers({ tree, sets: [], include: NAMES });
    const own = await resolveDrivers({ tree, sets: [LISTS] });
    expect([...own.modules.keys()]).toEqual([...included.modules.keys()]);
    expect(included.modules.get('raid456')?.reasons[0]?.rule).toBe('drivers.include: raid456');
    expect(included.modules.get('dm_mod')?.reasons[0]?.rule).toBe('drivers.include: dm-mod');
    expect(included.modules.get('iscsi_tcp')?.reasons[0]?.rule).toBe('drivers.include: iscsi, today iscsi_tcp');
    expect(own.modules.get('iscsi_tcp')?.reasons[0]?.rule).toBe(
      'drivers.sets: mondo-2008-drivers (iscsi, today iscsi_tcp)',
    );
    const notes = fateNotes(included.fates);
    expect(notes.length).toBe(4);
    expect(notes).toContainEqual(
      expect.stringMatching(
        /^drivers\.include: old names stand for st \(ht, .*, sr_mod \(ide-scsi, ide-cd, ide_cd\), /,
      ),
    );
    expect(notes).toContainEqual(
      expect.stringMatching(/^drivers\.include: gone from Linux are osst \(5\.3\), cpqfc, .*\bvmnet \(never\)/),
    );
    expect(fateNotes(own.fates)).toEqual(
      notes.map((note) => note.replace('drivers.include', 'driver set mondo-2008-drivers')),
    );
  });
});

describe('a name of old', () => {
  it.each([
    ['usb-uhci', 'renamed uhci_hcd'],
    ['usb-ohci', 'renamed ohci_hcd ohci_pci'],
    ['cciss', 'renamed hpsa'],
    ['raid5', 'renamed raid456'],
    ['ext3', 'renamed ext4'],
    ['sbp2', 'renamed firewire_sbp2'],
    ['aic7xxx_old', 'renamed aic7xxx'],
    ['AM53C974', 'renamed am53c974'],
    ['ide_cd', 'renamed sr_mod'],
    ['kernel/drivers/ide/ide-cd.ko', 'renamed sr_mod'],
    ['bcm5700', 'renamed tg3'],
    ['input', 'renamed input_core'],
    ['osst', 'gone'],
    ['dtc', 'gone'],
    ['vmnet', 'gone'],
    ['ehci-hcd', 'module ehci_hcd'],
    ['fscache', 'module fscache'],
    ['megaraid', 'module megaraid'],
    ['usbkbd', 'absent'],
    ['aha152x', 'absent'],
    ['nosuchthing', 'unknown'],
  ])('%s is %s', async (name, expected) => {
    expect(await fate(name)).toBe(expected);
  });

  it('is absent where its successor is, built in where that is', async () => {
    expect(await fate('cciss', 'bookworm-cloud-amd64')).toBe('absent');
    const [cciss] = await resolveNames(await kernelTree('bookworm-cloud-amd64'), ['cciss']);
    expect(cciss).toMatchObject({
      module: null,
      load: [],
      note: expect.stringMatching(/^replaced since Linux 4\.14: this kernel has no hpsa /),
    });
    const [ext3] = await resolveNames(await kernelTree('bookworm-cloud-amd64'), ['ext3']);
    expect(ext3).toMatchObject({
      status: 'renamed',
      module: 'ext4',
      load: [],
      note: 'replaced since Linux 4.3: ext4, built in',
    });
  });

  it('is loaded as its successor: hard dependencies, then itself', async () => {
    const tree = await kernelTree('trixie-amd64');
    const [cciss] = await resolveNames(tree, ['cciss']);
    expect(cciss?.load).toEqual([...tree.hard('hpsa').toReversed(), 'hpsa']);
  });

  it('is gone only where Linux is as new as that', async () => {
    const reiserfs = historicNames().get('reiserfs');
    const on = (directory: string) => ModuleTree.fromTexts({}, { directory: `/lib/modules/${directory}` });
    const told = ['6.12.107+deb13-amd64', '6.13.0', '6.13', '7.0-rc1', '5.10.0-1-amd64', 'mine2'].map(
      (release) => reiserfs && hasCome(reiserfs, on(release)),
    );
    expect(told).toEqual([false, true, true, true, false, true]);
    expect(await fate('reiserfs', 'bookworm-cloud-amd64')).toBe('absent');
    expect(await fate('reiserfs', 'trixie-amd64')).toBe('module reiserfs');
  });

  it('that still is a module keeps its name, and what was split off comes along', async () => {
    const tree = await kernelTree('bookworm-amd64');
    const { modules, fates } = await resolveDrivers({ tree, sets: [], include: ['ehci-hcd'] });
    expect([...modules.keys()]).toEqual(expect.arrayContaining(['ehci_hcd', 'ehci_pci']));
    expect(modules.get('ehci_pci')?.reasons[0]?.rule).toBe('drivers.include: ehci-hcd, today ehci_pci');
    expect(fates).toEqual([]);
    expect(fateOf(tree, 'ehci-hcd').note).toBe('belongs to it: ehci_pci (the part for PCI)');
  });
});

describe('in a profile', () => {
  const choose = async (options: { include?: string[]; exclude?: string[]; migrateTo?: string[]; sets?: string[] }) =>
    resolveDrivers({
      tree: await kernelTree('trixie-amd64'),
      sets: [],
      where: (list, i) => `p.yaml:${list}:${i}`,
      ...options,
    });
  const failure = async (promise: Promise<unknown>) => {
    const error = await promise.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MindiError);
    return error as MindiError;
  };

  it('an exclude takes the same driver by its new name, and leaves another that took over', async () => {
    const { modules, fates } = await choose({
      sets: ['scsi', 'usb'],
      exclude: ['usb-uhci', 'aic7xxx_old', 'ide-scsi', 'osst'],
    });
    expect(modules.has('uhci_hcd')).toBe(false);
    expect(modules.has('aic7xxx') && modules.has('sr_mod')).toBe(true);
    expect(fateNotes(fates)).toEqual([
      'drivers.exclude, left out: old names stand for uhci_hcd (usb-uhci)',
      'drivers.exclude, left in: old names stand for aic7xxx (aic7xxx_old), sr_mod (ide-scsi)',
    ]);
  });

  it('a pair that was right once is no conflict; the same driver twice is one', async () => {
    const { modules } = await choose({ include: ['aic7xxx_old', 'sg'], exclude: ['aic7xxx'] });
    expect(modules.has('aic7xxx')).toBe(false);
    const error = await failure(choose({ include: ['usb-uhci'], exclude: ['uhci-hcd'] }));
    expect([error.code, error.where]).toEqual(['drivers.conflict', 'p.yaml:include:0']);
  });

  it('a later line takes back what an old name brought, by either name', async () => {
    for (const minus of ['-raid456', '-raid5']) {
      expect((await choose({ include: ['raid5', 'sg', minus] })).modules.has('raid456')).toBe(false);
    }
    expect((await choose({ include: ['aic7xxx', '-aic7xxx_old'] })).modules.has('aic7xxx')).toBe(true);
  });

  it('an unknown name is an error as ever, a known one that is not there is not, unless one moves to it', async () => {
    const error = await failure(choose({ include: ['cdrom', 'megaraid-sass', 'tape*s'] }));
    expect(error.problems.map(({ where, hint }) => [where, hint])).toEqual([
      ['p.yaml:include:1', 'Did you mean "megaraid_sas"?'],
      ['p.yaml:include:2', 'Remove it, or choose a kernel that has it.'],
    ]);
    const { fates } = await choose({ include: ['aha152x', 'osst'] });
    expect(fateNotes(fates)).toEqual([
      'drivers.include: gone from Linux are osst (5.3)',
      'drivers.include: this kernel is built without aha152x',
    ]);
    expect((await failure(choose({ migrateTo: ['osst'] }))).hint).toMatch(/^It is gone since Linux 5\.3: OnStream/);
    expect((await failure(choose({ migrateTo: ['aha152x'] }))).code).toBe('drivers.unknown');
  });

  it('one’s own driver set tells its unknown names, too, and loads successors', async () => {
    const file = join(scratch, 'mine.yaml');
    writeFileSync(file, 'description: mine\nessential: [usb-uhci, megaraid-sass, loop]\nload: [usb-uhci, loop]\n');
    const { load, fates } = await choose({ sets: [file] });
    expect(load).toEqual(['uhci_hcd', 'loop']);
    expect(fateNotes(fates)).toEqual([
      'driver set mine: old names stand for uhci_hcd (usb-uhci)',
      'driver set mine: no kernel is known to have megaraid-sass (Did you mean "megaraid_sas"?)',
    ]);
  });

  it('mindi’s own sets name drivers of many kernels and tell nothing', async () => {
    expect((await choose({ sets: ['cdrom', 'tape', 'firewire'] })).fates).toEqual([]);
  });
});
