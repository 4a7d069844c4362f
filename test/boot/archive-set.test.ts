import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ArchiveResult, archive } from '../../archive/archive.ts';
import { archiveSettings } from '../../archive/settings.ts';
import { type Machine, startMachine } from '../../boot/qemu.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { findReady } from '../../contract/report.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { comes, PATIENCE, shell } from './shell.ts';

/**
 * A set of ISO files, of which the first starts the machine: the rescue system finds its set by itself, and gets
 * the other discs in a second drive as they are asked for. The same files lie on a disk, as the directory of a set.
 */
const folder = temporaryFolder('set');
const at = (...path: string[]) => join(folder, ...path);
const iso = (number: number) => at('sets', 'web1-000001', `web1-${number}.iso`);

let result: ArchiveResult;
let machine: Machine;

beforeAll(async () => {
  mkdirSync(at('data'));
  for (const name of ['a', 'b', 'c', 'd']) writeFileSync(at('data', name), randomBytes(6_500_000));
  const to = `{ iso: ${at('sets')} }`;
  const lines = [
    'name: web1',
    'extends: standalone',
    'mountlist: none',
    'media: [iso]',
    'boot: { default: expert, timeout: 1, serial: "ttyS0,115200" }',
    'archive:',
  ];
  const archived = [`include: [${at('data')}]`, `to: ${to}`, 'volume: [110MiB, 12MiB]', `scratch: ${at('scratch')}`];
  writeFileSync(at('web1.yaml'), [...lines, ...archived.map((line) => `  ${line}`), ''].join('\n'));
  const profile = await loadProfile(at('web1.yaml'));
  const silent = { step: () => {}, progress: () => {}, note: () => {} };
  result = await archive(archiveSettings(profile), silent, { profile });

  execFileSync('truncate', ['-s', '160M', at('disk.img')]);
  execFileSync('mke2fs', ['-q', '-t', 'ext4', '-L', 'store', '-d', at('sets'), at('disk.img')]);
  machine = await startMachine({
    memory: 1024,
    medium: { path: iso(1), as: 'cdrom' },
    drives: [`${at('disk.img')}:virtio`],
    more: ['-device', 'ide-cd,id=second,bus=ide.4'],
  });
});
afterAll(() => machine?.stop());

test('the first volume starts the machine, which finds the set by itself', async () => {
  expect(result.volumes).toBeGreaterThan(2);
  const report = await machine.waitFor('the ready line', findReady, PATIENCE);
  expect(report.problems).toEqual([]);
  expect(report.source).toMatchObject({
    address: 'cd:',
    failure: null,
    volumes: [{ set: result.id, number: 1, of: null }],
  });
});

const putIn = (number: number) =>
  machine.qmp('blockdev-change-medium', { id: 'second', filename: iso(number), format: 'raw', force: true });

test('the other discs are asked for, and read', async () => {
  await machine.waitForText(/mindi:~# $/m, PATIENCE);
  for (let number = 2; number <= result.volumes; number += 1) {
    const asked = shell(machine, `mindi source cd: --volume ${number} --read SHA256SUMS | sha256sum`);
    await comes(machine, `Put in disc ${number}`);
    await putIn(number);
    machine.type('\r');
    expect(await asked).toMatch(new RegExp(sumOf(number, 'SHA256SUMS')));
  }
});

test('the set in a directory of a disk: all its volumes', async () => {
  const listed = await shell(machine, 'mindi source disk:LABEL=store --json');
  const { volumes } = JSON.parse(listed.split('\n').at(-1) ?? '');
  expect(volumes.map(({ number, of }: { number: number; of: number | null }) => of ?? number)).toEqual(
    Array.from({ length: result.volumes }, (_, index) => index + 1),
  );
});

/** SHA-256 of a file on an ISO, by another program. */
function sumOf(number: number, name: string): string {
  const out = at(`${number}-${name}`);
  execFileSync('osirrox', ['-indev', iso(number), '-extract', `/${name}`, out], { stdio: 'pipe' });
  return execFileSync('sha256sum', { input: readFileSync(out) })
    .toString()
    .slice(0, 64);
}
