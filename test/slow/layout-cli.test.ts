import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';

const MINDI = resolve('bin/mindi');
const FACTS = resolve('test/fixtures/layout/guest.json');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mindi-layout-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function mindi(...args: string[]) {
  const env = { MINDI_LOG: join(folder, 'mindi.log') };
  const { exitCode, stdout, stderr } = await execa(MINDI, args, { cwd: folder, reject: false, stdin: 'ignore', env });
  return { exitCode, stdout: String(stdout), stderr: String(stderr) };
}

const LAYOUT = `layout: 1
disks:
  a: { size: 200MiB } # the first one
filesystems:
  a: { type: xfs, mounts: [ { at: / } ] }
`;

test('a layout is written, keeps its comments, and is left alone when it is wrong', async () => {
  writeFileSync(join(folder, 'l.yaml'), '# mine\nlayout: 1\n');
  const written = await mindi('layout', 'l.yaml', '--facts', FACTS);
  expect(written).toMatchObject({ exitCode: 0, stdout: '' });
  expect(written.stderr).toContain('note: special/snap is a snapshot');
  expect(readFileSync(join(folder, 'l.yaml'), 'utf8')).toMatch(/^# mine\nlayout: 1\n/);

  writeFileSync(join(folder, 'l.yaml'), 'layout: 1\ndiscs: {}\n');
  const refused = await mindi('layout', 'l.yaml', '--facts', FACTS);
  expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('l.yaml:2:1: unknown key "discs"') });
  expect(readFileSync(join(folder, 'l.yaml'), 'utf8')).toBe('layout: 1\ndiscs: {}\n');
});

test('a plan is printed, as JSON with its hash, and refused with exit 1', async () => {
  writeFileSync(join(folder, 'p.yaml'), LAYOUT);
  const call = ['restore', 'plan', 'p.yaml', '--facts', FACTS];
  const equal = await mindi(...call);
  expect(equal).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('a could be made on vde (200MiB) or on vdf'),
  });
  // What lies there goes over both disks.
  const both = await mindi(...call, '--disk', 'a=vde');
  expect(both).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('vde lies also on vdf') });
  const json = await mindi(...call, '--disk', 'a=/dev/vdi', '--json');
  const { hash, lost } = JSON.parse(json.stdout);
  expect(lost).toEqual([{ disk: 'vdi', what: ['vdi xfs "big"'] }]);
  const text = await mindi(...call, '--disk', 'a=vdi');
  expect(text.stdout).toContain('mkfs.xfs -q -f /dev/vdi');
  expect(text.stdout).toContain(`Plan ${hash}`);
});

test('files of old are read and written', async () => {
  writeFileSync(
    join(folder, 'rear'),
    'disk /dev/sda 1073741824 gpt\npart /dev/sda 1048576 1048576 x none /dev/sda1\nfs /dev/sda1 / ext4 uuid=u-u\n',
  );
  const { stdout } = await mindi('layout', '--import', 'rear', '--as', 'mountlist');
  expect(stdout).toContain('/dev/sda1 / ext4 1024 UUID=u-u');
});
