import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import type { RescueConfig } from '../../contract/rescue-config.ts';
import type { Boot } from '../../initramfs/boot.ts';
import { restore } from '../../initramfs/steps/restore.ts';
import { stick } from '../../initramfs/steps/stick.ts';
import { applyStickConfig } from '../../initramfs/stick/config.ts';
import { findNewFolders, findStickFolders } from '../../initramfs/stick/folder.ts';
import { takeLateSticks } from '../../initramfs/stick/late.ts';

vi.mock('../../initramfs/rescue-config.ts', () => ({ writeEffectiveConfig: vi.fn() }));
vi.mock('../../initramfs/stick/folder.ts', () => ({
  findStickFolders: vi.fn(async () => []),
  findNewFolders: vi.fn(async () => []),
}));

let work: Scratch;
beforeAll(async () => {
  work = await scratch('test');
});
afterAll(() => work[Symbol.asyncDispose]());

const PROFILE = {
  name: 'web',
  restore: { mode: 'interactive', source: 'nfs://old/backup' },
  keymap: 'de-latin1',
  network: { ip: ['dhcp'], nameserver: ['10.0.0.53'], ntp: ['time.example'] },
  stick: true,
} as unknown as RescueConfig;

async function apply(text: string | Uint8Array) {
  const file = join(work.path, 'config.yaml');
  await writeFile(file, text);
  const { config, problems } = await applyStickConfig(PROFILE, file, 'mindi/config.yaml');
  return { config, problems: problems.map(({ where, message }) => `${where}: ${message}`) };
}

describe("a stick's config.yaml", () => {
  test('wins over the profile, in what it says', async () => {
    const text =
      'restore: { source: "smb://bob@server/web01" }\nnetwork:\n  ip: eth1:dhcp\n  nameserver: [10.0.0.1, ...]\naccess: { keymap: null, statusPage: true }\n';
    expect(await apply(text)).toEqual({
      config: {
        ...PROFILE,
        restore: { mode: 'interactive', source: 'smb://bob@server/web01' },
        keymap: null,
        statusPage: true,
        network: { ip: ['eth1:dhcp'], nameserver: ['10.0.0.1', '10.0.0.53'], ntp: ['time.example'] },
      },
      problems: [],
    });
  });

  test('as Windows writes it, and an example with every line commented out', async () => {
    const { config, problems } = await apply('\ufeffrestore:\r\n  mode: expert\r\n');
    expect(problems).toEqual([]);
    expect(config.restore).toEqual({ mode: 'expert', source: 'nfs://old/backup' });
    expect(await apply('# restore:\n#   mode: nuke\n')).toEqual({ config: PROFILE, problems: [] });
    expect(await apply('')).toEqual({ config: PROFILE, problems: [] });
  });

  test('what is wrong is told with line and column, all of it, and nothing of the file holds', async () => {
    const text = `restore:
  mode: nuk
  sourec: nfs://server/x
network:
  ip: [dhcp, 10.0.0.5]
access:
  keymap: host
  stick: true
kernel: auto
`;
    expect(await apply(text)).toEqual({
      config: PROFILE,
      problems: [
        'mindi/config.yaml:2:9: restore.mode cannot be "nuk"',
        'mindi/config.yaml:3:3: unknown key "sourec" in restore',
        expect.stringMatching(/^mindi\/config\.yaml:7:11: access\.keymap: "host" has not the right form$/),
        'mindi/config.yaml:8:3: unknown key "stick" in access',
        'mindi/config.yaml:9:1: unknown key "kernel"',
        expect.stringMatching(/^mindi\/config\.yaml:5:14: network\.ip says "10\.0\.0\.5", which is not understood: /),
      ],
    });
    expect((await apply('restore: [\n')).problems[0]).toMatch(/^mindi\/config\.yaml:\d+:\d+: cannot be read as YAML: /);
    expect((await apply(Buffer.from([0x72, 0, 0x3a]))).problems).toEqual([
      'mindi/config.yaml: this is a binary file, not a settings file',
    ]);
  });

  test('the example in the medium’s README.txt holds', async () => {
    const readme = await readFile(join(import.meta.dirname, '../../templates/usb-readme.txt'), 'utf8');
    const [example = ''] = /^ {2}restore:\n( {2}.*\n)+/m.exec(readme) ?? [];
    const { config, problems } = await apply(example.replaceAll(/^ {2}/gm, ''));
    expect(problems).toEqual([]);
    expect(config).toMatchObject({ restore: { mode: 'expert' }, network: { ip: ['dhcp'] }, keymap: 'de-latin1' });
  });

  test('any bytes give an answer', async () => {
    const words = fc.constantFrom(
      'restore',
      'network',
      'access',
      ': ',
      '\n  ',
      '- ',
      '[',
      '{',
      '&a ',
      '*a',
      '"',
      'ip',
      'nuke',
    );
    const text = fc.oneof(
      fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
      fc.array(words).map((some) => some.join('')),
    );
    await fc.assert(
      fc.asyncProperty(text, async (some) => {
        const { config, problems } = await apply(some);
        expect(problems.length === 0 || config === PROFILE).toBe(true);
        for (const one of problems) expect(one).toMatch(/^mindi\/config\.yaml/);
      }),
      { numRuns: 60 },
    );
  });
});

test('no stick is looked at when the profile says so', async () => {
  const boot = { config: { ...PROFILE, stick: false }, parameters: { mode: null }, mode: 'expert', sticks: [] };
  await stick.run(boot as unknown as Boot);
  expect(findStickFolders).not.toHaveBeenCalled();
  boot.config.stick = true;
  await stick.run({ ...boot, consoles: { write() {} } } as unknown as Boot);
  expect(findStickFolders).toHaveBeenCalledOnce();
  boot.config.stick = false;
  await takeLateSticks(boot as unknown as Boot);
  expect(findNewFolders).not.toHaveBeenCalled();
});

test('a stick that comes later begins no restore, and says what it would change', async () => {
  const text =
    'restore: { mode: nuke, source: "nfs://new/backup" }\nnetwork: { ip: eth1:dhcp }\naccess: { statusPage: false }\n';
  await writeFile(join(work.path, 'config.yaml'), text);
  const folder = { device: '/dev/sdb1', path: work.path, files: ['config.yaml'], problems: [] };
  vi.mocked(findNewFolders).mockResolvedValueOnce([folder]);
  const said: string[] = [];
  const boot = {
    ...{ config: PROFILE, mode: 'interactive', sticks: [], problems: [], statusPage: false },
    network: { nic: 'eth0', server: null, ntp: [] },
    parameters: { mode: null, keymap: null, source: null, status: null },
    consoles: { write: (line: string) => said.push(line.replace(/^mindi: +\S+ s {2}/, '').trim()) },
  };
  await takeLateSticks(boot as unknown as Boot);
  expect(boot.mode).toBe('interactive');
  expect(said).toEqual([
    'on /dev/sdb1: mindi/config.yaml',
    expect.stringMatching(/^the network stays as it is/),
    expect.stringMatching(/^the restore source is another one now/),
    expect.stringMatching(/^it stays interactive mode/),
  ]);
  expect(boot.config.restore.source).toBe('nfs://new/backup');
});

test('nothing is restored without asking where a config.yaml is wrong', async () => {
  const boot = {
    ...{ mode: 'nuke', config: { ...PROFILE, stage2: null }, medium: null, trusted: null, problems: [] as string[] },
    parameters: { check: false, onFail: null },
    consoles: { write() {} },
    sticks: [{ device: '/dev/sdb1', files: ['config.yaml'], config: false }],
  };
  await restore.run(boot as unknown as Boot);
  expect(boot.problems).toEqual([
    'Nothing is restored: mindi/config.yaml on /dev/sdb1 is wrong, and may have said something else.',
  ]);
});
