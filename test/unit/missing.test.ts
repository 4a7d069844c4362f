import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { leftOutModules } from '../../builder/drivers/left-out.ts';
import { type DriverSelection, resolveDrivers } from '../../builder/drivers/resolve.ts';
import { formatLeftOut, type LeftOutModule, parseLeftOut } from '../../contract/left-out.ts';
import { missingDeviceLine, missingRequestLine } from '../../contract/report.ts';
import type { Device } from '../../initramfs/devices.ts';
import { LeftOut } from '../../initramfs/left-out.ts';
import { missingDevices, missingRequests } from '../../initramfs/missing.ts';
import { kernelTree } from '../kernel-fixture.ts';

const AHCI = 'pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01';
const E1000 = 'pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00';
const SOUND = 'pci:v00008086d00002668sv00001AF4sd00001100bc04sc03i00';
const NOBODYS = 'pci:v0000FFFEd0000FFFEsv00000000sd00000000bc01sc00i00';

describe('modules that are left out of a real kernel', () => {
  let selection: DriverSelection;
  let left: LeftOutModule[];
  let text: string;

  beforeAll(async () => {
    const tree = await kernelTree('bookworm-amd64');
    selection = await resolveDrivers({ tree, sets: ['ide', 'net', 'filesystems'], exclude: ['libahci', 'xfs'] });
    left = leftOutModules(tree, selection);
    text = formatLeftOut(left);
    const all = [...left.map(({ name }) => name), ...selection.essential].sort();
    expect(all).toEqual(tree.names.toSorted());
  });

  it('are told with the reason, by what would ask for them', () => {
    const leftOut = new LeftOut(text);
    expect(leftOut.find(AHCI)).toEqual([{ module: 'ahci', why: 'it needs libahci, left out by drivers.exclude' }]);
    expect(leftOut.find(E1000)).toEqual([{ module: 'e1000', why: 'it is in the second stage, which was not found' }]);
    expect(leftOut.find('fs-xfs')).toEqual([{ module: 'xfs', why: 'left out by drivers.exclude' }]);
    expect(leftOut.find('xfs')).toEqual(leftOut.find('fs-xfs'));
    expect(leftOut.find('snd-hda-intel')).toEqual([{ module: 'snd_hda_intel', why: 'the profile does not choose it' }]);
    expect(leftOut.find('ata_piix')).toEqual([]);
    expect(leftOut.find(NOBODYS)).toEqual([]);
    expect(leftOut.find('nosuch')).toEqual([]);
  });

  it('are written the same whatever their order, and read back', () => {
    expect(formatLeftOut(left.toReversed())).toBe(text);
    const sorted = left.map((module) => ({ ...module, aliases: module.aliases.toSorted() }));
    expect(parseLeftOut(text).sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual(
      sorted.sort((a, b) => (a.name < b.name ? -1 : 1)),
    );
    expect(text).not.toMatch(/ (acpi|i2c|hdaudio)\S*:/);
  });

  it('are found in any text without an error', () => {
    fc.assert(fc.property(fc.string(), fc.string(), (file, name) => Array.isArray(new LeftOut(file).find(name))));
  });
});

const WHY = 'left out by drivers.exclude';
const modules = {
  answers: (name: string) => name === 'crypto-sha256',
  leftOut: (name: string) => ([AHCI, 'fs-xfs', 'crypto-sha256'].includes(name) ? [{ module: 'some', why: WHY }] : []),
};
const device = (modalias: string): Device => ({ bus: 'pci', name: '0000:00:1f.2', modalias, path: '/nowhere' });

describe('what is missing', () => {
  it('is every device of use without a driver', () => {
    const missing = missingDevices([AHCI, SOUND, NOBODYS].map(device), modules, () => false);
    expect(missing.map(missingDeviceLine)).toEqual([
      'SATA controller 8086:2922 at 0000:00:1f.2: some is not here (left out by drivers.exclude)',
      'storage controller fffe:fffe at 0000:00:1f.2: this kernel has no driver for it',
    ]);
  });

  it('is what the kernel asked for, left out of the medium and not there meanwhile', () => {
    const requests = missingRequests(['fs-xfs', 'crypto-sha256', 'fs-nosuch'], modules);
    expect(requests).toEqual([{ name: 'fs-xfs', modules: [{ module: 'some', why: WHY }] }]);
  });

  it('names several modules by their reasons', () => {
    const several = [
      { module: 'a', why: WHY },
      { module: 'b', why: 'the profile does not choose it' },
      { module: 'c', why: WHY },
    ];
    expect(missingRequestLine({ name: 'x', modules: several })).toBe(
      'x for the kernel: a, c are not here (left out by drivers.exclude); b is not here (the profile does not choose it)',
    );
  });
});
