import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { driftOf } from '../../builder/drift/compare.ts';
import { layoutOf } from '../../builder/drift/layout.ts';
import { recordMachine } from '../../builder/drift/record.ts';
import type { HostFacts } from '../../builder/mountlist/facts.ts';
import { parseMachineRecord } from '../../contract/machine-record.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/mountlist');
const machines = readdirSync(FIXTURES)
  .filter((name) => name.endsWith('.json'))
  .map((name) => name.replace('.json', ''));
const recorded = (machine: string): HostFacts => JSON.parse(readFileSync(join(FIXTURES, `${machine}.json`), 'utf8'));
const folder = temporaryFolder('drift');

const record = (facts: HostFacts, root = folder, kernel = '6.1.0-50-amd64') => recordMachine(facts, root, kernel);
const changes = async (was: HostFacts, is: HostFacts) =>
  driftOf(await record(was), await record(is)).map(({ what, name, change }) => `${what}: ${name} ${change}`);

interface Row {
  name: string;
  kname: string;
  'maj:min': string;
  children?: Row[];
  [column: string]: unknown;
}

/** What lsblk says with each device changed. */
function relisted(facts: HostFacts, change: (rows: Row[]) => Row[]): HostFacts {
  const { blockdevices } = JSON.parse(facts.lsblk ?? '{"blockdevices":[]}') as { blockdevices: Row[] };
  return { ...facts, lsblk: JSON.stringify({ blockdevices: change(blockdevices) }) };
}

/** The same machine after a reboot: disks found in another order get each other's names and numbers. */
function rebooted(facts: HostFacts): HostFacts {
  const named = /^(sd|vd|nvme|mmcblk)/;
  const { blockdevices } = JSON.parse(facts.lsblk ?? '{"blockdevices":[]}') as { blockdevices: Row[] };
  const disks = blockdevices.filter(({ kname }) => named.test(kname)).map(({ kname }) => kname);
  const to = new Map(disks.map((disk, n) => [disk, `${disks[disks.length - 1 - n]}`]));
  const pattern = new RegExp(`\\b(${[...disks].sort((a, b) => b.length - a.length).join('|')})(?=\\b|p?\\d)`, 'g');
  const swap = (text: string | null) =>
    text === null || disks.length === 0 ? text : text.replaceAll(pattern, (disk) => to.get(disk) ?? disk);
  const texts = Object.fromEntries(
    ['pvs', 'lvs', 'swaps', 'partitions', 'mdstat'].map((key) => [key, swap(facts[key as 'pvs'])]),
  );
  const links = Object.fromEntries(Object.entries(facts.links).map(([link, path]) => [link, swap(path) ?? path]));
  const mountinfo = (facts.mountinfo ?? '')
    .split('\n')
    .map((line) => line.replace(/ - (\S+) (\S+) /, (_, format, source) => ` - ${format} ${swap(source)} `))
    .join('\n');
  const lsblk = swap(relisted(facts, (rows) => rows.toReversed()).lsblk);
  return { ...facts, ...texts, mountinfo, links, lsblk };
}

const STICK: Row = {
  ...{
    name: 'sdz',
    kname: 'sdz',
    'maj:min': '65:144',
    type: 'disk',
    size: 8e9,
    rm: true,
    tran: 'usb',
    fstype: null,
    uuid: null,
  },
  children: [
    {
      name: 'sdz1',
      kname: 'sdz1',
      'maj:min': '65:145',
      type: 'part',
      size: 7e9,
      rm: true,
      tran: null,
      fstype: 'vfat',
      uuid: 'ABCD-1234',
    },
  ],
};
const LOOP: Row = {
  name: 'loop9',
  kname: 'loop9',
  'maj:min': '7:9',
  type: 'loop',
  size: 1e6,
  rm: false,
  tran: null,
  fstype: 'squashfs',
  uuid: null,
};
const VISITS = `
900 1 65:145 / /media/stick rw,relatime - vfat /dev/sdz1 rw
901 1 7:9 / /snap/core/1 ro - squashfs /dev/loop9 ro
902 1 0:99 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw,lowerdir=/a,upperdir=/b,workdir=/c
903 1 0:98 / /var/lib/docker/containers/x/mounts/shm rw - tmpfs shm rw
904 1 0:97 / /mnt/nfs rw - nfs4 server:/x rw
`;

describe.each(machines)('recorded machine %s', (machine) => {
  test('is what it was: after a reboot that found its disks in another order, with a stick, a snap and containers', async () => {
    const was = recorded(machine);
    expect(await changes(was, was)).toEqual([]);
    // Of a machine whose fstab has the kernel's names another order is another layout.
    const byName = /^\/dev\/(sd|hd|vd|nvme)/m.test(was.fstab ?? '');
    expect(await changes(was, byName ? was : rebooted(was))).toEqual([]);
    const visited = relisted({ ...was, mountinfo: `${was.mountinfo?.trimEnd()}${VISITS}` }, (rows) => [
      ...rows,
      STICK,
      LOOP,
    ]);
    expect(await changes(was, visited)).toEqual([]);
    expect(await changes(visited, was)).toEqual([]);
  });

  test('its record holds no device name and reads back', async () => {
    const made = await record(recorded(machine));
    expect(parseMachineRecord(JSON.stringify(made))).toEqual(made);
    expect(JSON.stringify(made.layout)).not.toMatch(/\b(sd[a-z]|nvme\d|dm-\d)/);
  });
});

describe('what has changed is told', () => {
  const was = recorded('server');
  const first = layoutOf(was).find(
    ({ identity, mountpoints }) => identity.startsWith('uuid') && mountpoints[0]?.startsWith('/'),
  );
  const uuid = first?.identity.replace('uuid ', '') ?? '';
  const each = (rows: Row[], change: (row: Row) => Row): Row[] =>
    rows.map((row) => change({ ...row, ...(row.children ? { children: each(row.children, change) } : {}) }));
  const withThat = (change: (row: Row) => Row) =>
    relisted(was, (rows) => each(rows, (row) => (String(row.uuid).toLowerCase() === uuid ? change(row) : row)));

  test('a size, a format, a place, a file system that is gone or new', async () => {
    expect(first?.identity).toMatch(/^uuid /);
    const grown = await changes(
      was,
      withThat((row) => ({ ...row, size: Number(row.size) + 2 ** 30 })),
    );
    expect(grown.join()).toMatch(/layout: .* has .* KiB.*, it was \d+ KiB/);
    const formatted = await changes(
      was,
      withThat((row) => ({ ...row, uuid: 'ffff-ffff' })),
    );
    expect(formatted.join()).toMatch(/is gone.*is new/);
    const moved = { ...was, fstab: was.fstab?.replace(/(\s)\/srv(\S*\s)/, '$1/data$2') ?? '' };
    if (moved.fstab !== was.fstab) expect((await changes(was, moved)).join()).toContain('belongs on');
  });

  test('kernel, modules, boot loader, configuration; not comments, nor what a partition hides that is not mounted', async () => {
    const root = join(folder, 'root');
    const write = (path: string, text: string) => {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    };
    write('/etc/fstab', 'UUID=1 / ext4 defaults 0 1\n');
    write('/boot/grub/grub.cfg', 'menuentry x\n');
    write('/boot/grub/grubenv', 'saved=1');
    write('/boot/efi/EFI/debian/shimx64.efi', 'shim');
    write('/boot/loader/entries/linux+3.conf', 'title linux\n');
    write('/lib/modules/6.1.0-50-amd64/modules.dep', 'a.ko:\nb.ko: a.ko\n');
    const facts = { ...was, mountinfo: `${was.mountinfo?.trimEnd()}\n930 1 0:96 / /boot/efi rw - vfat none rw\n` };
    const before = await record(facts, root);
    const drift = async (now: HostFacts = facts, kernel?: string) =>
      driftOf(before, await record(now, root, kernel)).map(({ what, name, change }) => `${what}: ${name} ${change}`);
    write('/etc/fstab', '# a comment\nUUID=1   /\text4 defaults 0 1\n\n');
    write('/boot/grub/grubenv', 'saved=2');
    renameSync(join(root, '/boot/loader/entries/linux+3.conf'), join(root, '/boot/loader/entries/linux+2-1.conf'));
    expect(await drift()).toEqual([]);
    rmSync(join(root, '/boot/efi/EFI'), { recursive: true });
    expect(await drift(was)).toEqual([]);
    expect(await drift()).toEqual(['loader: /boot/efi/EFI/debian/shimx64.efi is gone']);
    write('/boot/efi/EFI/debian/shimx64.efi', 'other');
    write('/etc/fstab', 'UUID=2 / ext4 defaults 0 1\n');
    write('/etc/crypttab', 'c UUID=3 none\n');
    write('/lib/modules/6.1.0-50-amd64/modules.dep', 'a.ko:\n');
    expect(await drift()).toEqual([
      'kernel: 6.1.0-50-amd64 has other modules than it had',
      'loader: /boot/efi/EFI/debian/shimx64.efi has changed',
      'configuration: /etc/crypttab is new',
      'configuration: /etc/fstab has changed',
    ]);
    expect((await drift(facts, '6.1.0-51-amd64'))[0]).toBe('kernel: 6.1.0-51-amd64 runs, it was 6.1.0-50-amd64');
  });

  test('any bytes are a record, or none', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc
            .record({
              format: fc.constant(1),
              layout: fc.anything(),
              kernel: fc.anything(),
              files: fc.anything(),
              mounted: fc.anything(),
            })
            .map((value) => JSON.stringify(value)),
        ),
        (text) => {
          const made = parseMachineRecord(text);
          if (made) expect(driftOf(made, made)).toEqual([]);
        },
      ),
    );
  });
});
