import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startMachine } from '../../boot/qemu.ts';
import { tryBoot } from '../../boot/trial.ts';
import { type BuildResult, build } from '../../builder/build.ts';
import { parseHardware } from '../../builder/drivers/hardware-file.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { findReady } from '../../contract/report.ts';
import { VOLUME_FILE } from '../../contract/volume.ts';
import { startFiles } from '../plain-kernel.ts';
import { trixieKernel } from '../trixie-kernel.ts';
import { certificate } from './servers.ts';
import { CONSOLES, shell } from './shell.ts';
import { shown, waitForScreen } from './terminal.ts';

/** Longer than any boot takes under software emulation on a busy machine. */
const PATIENCE = 150;

let work: Scratch;
let standalone: BuildResult;

beforeAll(async () => {
  work = await scratch('test');
  standalone = await buildProfile('standalone');
});
afterAll(() => work[Symbol.asyncDispose]());

async function buildProfile(profile: string, out = profile): Promise<BuildResult> {
  return build(await loadProfile(profile), join(work.path, out));
}

async function ownProfile(name: string, text: string): Promise<BuildResult> {
  const file = join(work.path, `${name}.yaml`);
  await writeFile(file, `name: ${name}\n${text}`);
  return buildProfile(file, name);
}

const image = ({ media }: BuildResult) => media[0]?.path ?? '';

function boot(result: BuildResult, options: Partial<Parameters<typeof tryBoot>[0]> = {}) {
  const defaults = {
    image: image(result),
    firmware: 'bios' as const,
    memory: 512,
    drives: [],
    devices: [],
    timeout: PATIENCE,
  };
  return tryBoot({ ...defaults, ...options });
}

describe('the standalone ISO', () => {
  test.each([
    ['bios', 'cdrom', 256],
    ['uefi', 'cdrom', 512],
    ['bios', 'usb', 512],
    ['uefi', 'usb', 512],
  ] as const)('boots by %s as %s in %i MiB of RAM, finds itself and reports', async (firmware, as, memory) => {
    const { report } = await boot(standalone, { firmware, as, memory });
    expect(report).toMatchObject({ name: 'standalone', mode: 'interactive', kernel: standalone.kernel, problems: [] });
    expect(report.medium).toMatch(as === 'cdrom' ? /^\/dev\/sr0$/ : /^\/dev\/sda\d?$/);
    expect(report.missing).toEqual([]);
    expect(report.nics).toHaveLength(1);
    expect(report.modules).toContain('squashfs');
  });

  test("with parameters of one's own: kernel and initrd are started directly, a disk beside", async () => {
    const disk = join(work.path, 'disk.img');
    await writeFile(disk, Buffer.alloc(8 << 20));
    const { report } = await boot(standalone, { append: 'expert', drives: [disk] });
    expect(report.mode).toBe('expert');
    expect(report.disks.map(({ bytes }) => bytes)).toContain(8 << 20);
  });
});

const BUN = `extends: minimal
runtime: bun
drivers: { include: [net-pf-10, net-pf-17] }
network: { ip: dhcp, authorities: [tls.pem] }
`;

describe('other profiles', () => {
  test('minimal, everything in the initrd; its shell tells what hardware the machine has', async () => {
    const medium = { path: image(await buildProfile('minimal')), as: 'cdrom' as const };
    const disk = join(work.path, 'hardware.img');
    await writeFile(disk, Buffer.alloc(1 << 20));
    await using machine = await startMachine({ medium, drives: [disk] });
    await machine.waitForText('[Tab] add parameters', PATIENCE);
    machine.type('\r');
    const report = await machine.waitFor('the ready line', findReady, PATIENCE);
    expect(report).toMatchObject({ name: 'minimal', mode: 'expert', medium: 'initrd', problems: [] });

    await machine.waitForText('mindi:~# ', PATIENCE);
    const keep = 'mindi storage writable /dev/vda --yes && cat m.json >/dev/vda && sync && echo "the same" "twice"';
    machine.type(`mindi-probe --out m.json && mindi-probe | cmp - m.json && ${keep}\r`);
    await machine.waitForText('the same twice', PATIENCE);
    const hardware = parseHardware((await readFile(disk, 'utf8')).replace(/\0+$/, ''), disk);
    expect(hardware).toMatchObject({ machine: { vendor: 'QEMU' }, kernel: report.kernel });
    expect(hardware.disks).toMatchObject(report.disks.map(({ name, bytes, driver }) => ({ name, bytes, driver })));
    expect(hardware.nics).toMatchObject(report.nics.map(({ name, driver }) => ({ name, driver })));
    expect(hardware.modaliases.join(' ')).toMatch(/pci:v00001AF4d.*usb:v1D6Bp0003.*virtio:d00000002v00001AF4/);
  });

  test('bun, which needs AVX2, runs the same init and menu, opens a source over TLS, and the self-check where all is in the initrd', async () => {
    certificate('tls', 'IP:10.0.2.2', [], work.path);
    const path = image(await ownProfile('bun', BUN));
    const [key, cert] = await Promise.all(['tls.key', 'tls.pem'].map((name) => readFile(join(work.path, name))));
    const volume = { format: 1, set: 'a', number: 1, of: 1, machine: 'web01', created: '2026-03-01T12:00:00Z' };
    await using server = createServer({ key, cert }, ({ url }, answer) =>
      url === `/${VOLUME_FILE}` ? answer.end(JSON.stringify(volume)) : answer.writeHead(404).end(),
    );
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = `https://10.0.2.2:${(server.address() as AddressInfo).port}`;
    const direct = { ...(await startFiles(path, work.path)), append: `${CONSOLES} interactive mindi.check` };
    await using machine = await startMachine({ direct, medium: { path, as: 'cdrom' }, more: ['-cpu', 'max'] });
    const report = await machine.waitFor('the ready line', findReady, PATIENCE);
    expect(report.runtime).toMatch(/^bun /);
    expect(report).toMatchObject({ medium: 'initrd', trusted: null });
    expect(report.check?.sentences).toEqual([expect.stringMatching(/^This medium is whole: \d+ files/)]);
    expect(report.problems).toEqual([]);

    await waitForScreen(machine, /Switch it off[\s\S]*Arrow keys/, PATIENCE);
    machine.type('\x1b[B');
    await waitForScreen(machine, '> c  Compare', PATIENCE);
    machine.type('o');
    await waitForScreen(machine, /Where are the restore data\?[\s\S]*web server/, PATIENCE);
    const choices = await shown(machine);
    machine.type(/(\w) {2}web server/.exec(choices)?.[1] ?? '');
    await waitForScreen(machine, /The address of the restore data[\s\S]*> \w+:/, PATIENCE);
    machine.type(`\x15${address}\r`);
    await waitForScreen(machine, new RegExp(`Open the restore source +${address}`), PATIENCE);
    machine.type('s');
    await machine.waitForText(/mindi:~# $/m, PATIENCE);
    expect(await shell(machine, 'tty')).toBe('/dev/ttyS0');
  });

  test("a kernel whose modules are .ko.xz: Debian trixie's", async () => {
    const kernel = await trixieKernel();
    const result = await ownProfile('trixie', `extends: standalone\nkernel: { package: ${JSON.stringify(kernel)} }\n`);
    const { report } = await boot(result);
    expect(report.kernel).toMatch(/^6\.12\./);
    expect(report).toMatchObject({ problems: [], missing: [] });
  });
});
