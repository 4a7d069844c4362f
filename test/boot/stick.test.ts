import { execFileSync } from 'node:child_process';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { takeKernel } from '../../boot/bootable.ts';
import { findFat } from '../../boot/find-fat.ts';
import { type Machine, startMachine } from '../../boot/qemu.ts';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { findReady, type ReadyReport } from '../../contract/report.ts';
import { CONSOLES, PATIENCE, shell } from './shell.ts';

/** One machine with a medium that people put files on, and further sticks. */
let work: Scratch;
let machine: Machine;
let report: ReadyReport;
const at = (...path: string[]) => join(work.path, ...path);
const run = (program: string, ...args: string[]) => execFileSync(program, args, { stdio: 'pipe' });

const ANN = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBg0kLyWqoyvPkbn/b5Cg7TDtGCVDzAjVhxC1+UHYjkp ann@example.org';

/** What lies on the medium wins over the profile. */
const MEDIUM = {
  'config.yaml': 'restore: { mode: expert }\nnetwork: { ip: dhcp, nameserver: [10.0.2.3] }\n',
};
const STICK = {
  'config.yaml': "restore:\n  source: 'usb:'\n  mod: nuke\nnetwork: { ip: 10.0.0.5 }\n",
  authorized_keys: `# who may log in\n${ANN}\nssh-ed25519 AAAA broken\n`,
  keymap: 'mine\r\n',
  'mine.kmap': 'keycode 44 = y\nkeycode 21 = z\n',
  'keymap.txt': 'de-latin1\n',
};

async function makeStick(name: string, files: Record<string, string | Uint8Array>): Promise<void> {
  await mkdir(at(name, 'mindi'), { recursive: true });
  for (const [file, text] of Object.entries(files)) await writeFile(at(name, 'mindi', file), text);
  await writeFile(at(`${name}.img`), '');
  await truncate(at(`${name}.img`), 8 << 20);
  run('mkfs.vfat', '-n', name.toUpperCase(), at(`${name}.img`));
  run('mcopy', '-s', '-i', at(`${name}.img`), at(name, 'mindi'), '::');
}

beforeAll(async () => {
  work = await scratch('test');
  await makeStick('two', { ...STICK, 'other.kmap': execFileSync('loadkeys', ['-q', '-b', 'de-latin1']) });
  await writeFile(at('own.yaml'), PROFILE);
  const { media } = await build(await loadProfile(at('own.yaml')), at('out'));
  const image = media[0]?.path ?? '';
  const { offset = 0 } = findFat(image) ?? {};
  await writeFile(at('config.yaml'), MEDIUM['config.yaml']);
  run('mcopy', '-i', `${image}@@${offset}`, at('config.yaml'), '::mindi/config.yaml');
  machine = await startMachine({
    direct: { ...(await takeKernel(image, work.path)), append: CONSOLES },
    drives: [`${image}:usb`, `${at('two.img')}:usb`],
  });
  report = await machine.waitFor('the ready line', findReady, PATIENCE);
  await machine.waitForText(/mindi:~# $/m, PATIENCE);
});
afterAll(async () => {
  await machine?.stop();
  await work?.[Symbol.asyncDispose]();
});

const PROFILE = `name: own
extends: minimal
media: [usb]
initrd: { fold: false }
tools: { sets: [base, network, ssh] }
`;

test('settings on the medium win over the profile; what is wrong with those of a stick is told with its place', async () => {
  const [own, stick] = report.sticks;
  expect(report).toMatchObject({ mode: 'expert', medium: own?.device });
  expect(own).toMatchObject({ files: ['config.yaml'], config: true });
  const files = ['authorized_keys', 'config.yaml', 'keymap', 'mine.kmap', 'other.kmap'];
  expect(stick).toMatchObject({ files, config: false });
  expect(report.problems).toEqual(
    expect.arrayContaining([
      `mindi/keymap.txt on ${stick?.device} is not read: leave out what stands behind its real name.`,
      `On ${stick?.device}, mindi/authorized_keys:3: The key is damaged, or a part of it is missing.`,
      `On ${stick?.device}, mindi/config.yaml:3:3: unknown key "mod" in restore. Did you mean "mode"?`,
      expect.stringContaining(
        `On ${stick?.device}, mindi/config.yaml:4:16: network.ip says "10.0.0.5", which is not understood: `,
      ),
    ]),
  );
  expect(report.nics[0]?.addresses).toContain('10.0.2.15/24');
  expect(await shell(machine, 'cat /etc/resolv.conf')).toContain('nameserver 10.0.2.3');
});

test('keys and a keymap of a stick are used', async () => {
  expect(report.ssh?.keys).toBe(1);
  expect(await shell(machine, 'cat /run/mindi/ssh/authorized_keys')).toBe(ANN);
  const keys = await shell(machine, "dumpkeys -C /dev/tty0 | grep -E '^keycode +(21|44) '");
  expect(keys).toMatch(/ 21 = \+z [\s\S]* 44 = \+y /);
});
