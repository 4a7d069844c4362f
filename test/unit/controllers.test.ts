import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { CONTROLLERS, driveArguments, NICS, nicArguments } from '../../boot/controllers.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const top = temporaryFolder('controllers');
beforeAll(() => {
  for (const name of ['a.img', 'b.img', 'a:nvme', 'a,b.img']) writeFileSync(join(top, name), 'x');
});

const at = (name: string) => join(top, name);
const devices = (args: readonly string[]) => args.filter((_, i) => args[i - 1] === '-device');

describe('drives', () => {
  it('are behind virtio or what is said, each on a bus of its own', () => {
    const args = driveArguments([at('a.img'), `${at('b.img')}:megasas`, `${at('b.img')}:pvscsi`], 2, 'q35');
    expect(devices(args)).toEqual([
      'virtio-blk-pci,drive=disk0,bootindex=2',
      'megasas-gen2,id=bus1',
      'scsi-hd,bus=bus1.0,drive=disk1,bootindex=3',
      'pvscsi,id=bus2',
      'scsi-hd,bus=bus2.0,drive=disk2,bootindex=4',
    ]);
    expect(args[1]).toBe(`if=none,id=disk0,format=raw,file=${at('a.img')}`);
  });

  it('are files first: a name with a colon or a comma is taken as it is', () => {
    const [, colon] = driveArguments([at('a:nvme')], 1, 'q35');
    expect(colon).toContain(`file=${at('a:nvme')}`);
    const [, comma] = driveArguments([`${at('a,b.img')}:sd`], 1, 'q35');
    expect(comma).toContain(`file=${at('a,,b.img')}`);
  });

  it.each([
    ['an unknown controller', 'a.img:megasass', 'drive.controller', /Known are virtio, virtio-scsi, nvme/],
    ['no controller', 'a.img:', 'drive.controller', /Known are/],
    ['what every object has', 'a.img:constructor', 'drive.controller', /Known are/],
    ["another machine's controller", 'a.img:ide', 'drive.controller', /^Add --machine pc\.$/],
    ['no file', 'c.img:nvme', 'drive.unreadable', /truncate/],
  ])('%s is an error', (_, drive, code, hint) => {
    const refused = expect.objectContaining({ code, exitCode: 2, hint: expect.stringMatching(hint) });
    expect(() => driveArguments([at(drive)], 1, 'q35')).toThrow(refused);
  });
});

describe('network cards', () => {
  it('have a network each', () => {
    expect(nicArguments(['e1000', 'usb-net'])).toEqual([
      ...['-netdev', 'user,id=net0', '-device', 'e1000,romfile=,netdev=net0'],
      ...['-netdev', 'user,id=net1', '-device', 'usb-net,bus=usb.0,netdev=net1'],
    ]);
    expect(() => nicArguments(['ne2000'])).toThrow(expect.objectContaining({ code: 'nic.model', exitCode: 2 }));
  });
});

it('QEMU knows every device of the tables', () => {
  const known = execFileSync('qemu-system-x86_64', ['-device', 'help'], { encoding: 'utf8' });
  const used = [...Object.values(CONTROLLERS).flatMap((controller) => controller.devices), ...Object.values(NICS)];
  const names = used.map((device) => device.split(',')[0] ?? '').filter((name) => name !== 'igb');
  expect(names.filter((name) => !known.includes(`"${name}"`))).toEqual([]);
});
