import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Machine, startMachine } from '../../boot/qemu.ts';
import { type BuildResult, build } from '../../builder/build.ts';
import { allEntries, openImage } from '../../builder/inspect/image.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { signingKey } from '../../builder/trust/sign.ts';
import { findReady } from '../../contract/report.ts';
import { parsePublicKey, verifySignature } from '../../contract/signature.ts';
import { signAtTerminal } from '../passphrase.ts';
import { startFiles } from '../plain-kernel.ts';
import { type Witness, witness } from './witness.ts';

const PATIENCE = 150;
const MIB = 1 << 20;
const MINDI = resolve('bin/mindi');

let work: Scratch;
let signed: BuildResult;
let image: string;
let disk: Witness;
const at = (...path: string[]) => join(work.path, ...path);

/** A medium that is signed, and has a secret on it that may be there. */
beforeAll(async () => {
  work = await scratch('test');
  disk = await witness(work.path);
  execFileSync('minisign', ['-G', '-W', '-p', at('mindi.pub'), '-s', at('mindi.key')], { stdio: 'pipe' });
  writeFileSync(at('backup.env'), 'RESTIC_PASSWORD=hunter22\n', { mode: 0o644 });
  const lines = [
    'name: signed',
    'mountlist: none',
    `tools: { sets: [base], include: [${at('backup.env')}] }`,
    `access: { secrets: [${at('backup.env')}] }`,
    'trust: { publicKey: ./mindi.pub }',
  ];
  writeFileSync(at('signed.yaml'), `${lines.join('\n')}\n`);
  const profile = await loadProfile(at('signed.yaml'));
  signed = await build(profile, at('out'), {}, { sign: await signingKey(at('mindi.key')) });
  image = signed.media[0]?.path ?? '';
});
afterAll(() => work[Symbol.asyncDispose]());

/** A copy of the image with one bit flipped in each of these files. */
async function damaged(name: string, places: [path: string, offset: number][]): Promise<string> {
  const copy = at(`${name}.iso`);
  copyFileSync(image, copy);
  const opened = await openImage(image, work.path);
  const file = openSync(copy, 'r+');
  for (const [path, offset] of places) {
    const entry = opened.entries.find((one) => one.path === path);
    const start = entry && opened.slice(entry)?.offset;
    if (start === undefined) throw new Error(`there is no ${path}`);
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, start + offset);
    byte[0] = (byte[0] ?? 0) ^ 1;
    writeSync(file, byte, 0, 1, start + offset);
  }
  return copy;
}

/** Boots with the image's own, undamaged kernel and initrd. */
async function boot(medium: string): Promise<Machine> {
  const direct = {
    ...(await startFiles(image, work.path)),
    append: 'console=tty0 console=ttyS0,115200 expert mindi.check',
  };
  return startMachine({
    firmware: 'bios',
    memory: 512,
    medium: { path: medium, as: 'cdrom' },
    direct,
    drives: [disk.drive],
  });
}

const ready = (machine: Machine) => machine.waitFor('the ready line', findReady, PATIENCE);

/** Types a command and waits for the text it should give. */
async function typed(machine: Machine, command: string, answer: RegExp): Promise<void> {
  await machine.waitForText(/# $/, PATIENCE);
  machine.type(`${command}\r`);
  await machine.waitForText(answer, PATIENCE);
}

describe('a signed medium', () => {
  test('is for its owner only, as a secret is on it', async () => {
    for (const { path } of [...signed.media, ...signed.documents])
      expect(statSync(path).mode & 0o777, path).toBe(0o600);
    const modes = [...allEntries(await openImage(image, work.path))].map(({ path, mode }) => [path, mode]);
    expect(Object.fromEntries(modes)).toMatchObject({
      'mindi/stage2.squashfs': 0o400,
      [`mindi/stage2.squashfs:${at('backup.env')}`]: 0o600,
    });
  });

  test('has signatures that minisign takes, over sums that sha256sum takes', () => {
    const names = signed.documents.map(({ path }) => path.replace(`${at('out')}/`, ''));
    expect(names).toEqual(expect.arrayContaining(['signed.manifest.json.minisig', 'signed.sha256sums.minisig']));
    for (const name of ['signed.manifest.json', 'signed.sha256sums'])
      execFileSync('minisign', ['-V', '-p', at('mindi.pub'), '-m', at('out', name)], { stdio: 'pipe' });
    execFileSync('sha256sum', ['--strict', '-c', 'signed.sha256sums'], { cwd: at('out'), stdio: 'pipe' });
  });

  test('is trusted and found whole by the menu’s entry, and by mindi check', async () => {
    await using machine = await startMachine({ firmware: 'bios', memory: 512, medium: { path: image, as: 'cdrom' } });
    await machine.waitForText('[Tab] add parameters', PATIENCE);
    await machine.key('home', 'down', 'down', 'down', 'down', 'ret');
    const report = await ready(machine);
    expect(report).toMatchObject({ mode: 'expert', trusted: true, problems: [], check: { whole: true } });
    expect(machine.text).toMatch(/This medium is whole: \d+ files, [\d.]+ MiB\./);
    expect(machine.text).toMatch(/checking mindi\/\S+: \d+ %/);
    await typed(
      machine,
      'mindi check; echo "code $?"; ls /run/mindi/untrusted',
      /is whole: .*\n(?:.*\n)*code 0\n(?:.*\n)*.*No such file/,
    );
  });

  test('with a flipped bit in kernel and manifest is not trusted, and both are found', async () => {
    const copy = await damaged('front', [
      ['mindi/vmlinuz', 2 * MIB + 5],
      ['mindi/manifest.json', 100],
    ]);
    await using machine = await boot(copy);
    const report = await ready(machine);
    expect(report).toMatchObject({ medium: '/dev/sr0', trusted: false, check: { whole: false } });
    expect(report.check?.sentences).toEqual([
      expect.stringMatching(/^mindi\/manifest\.json is damaged/),
      'mindi/vmlinuz is damaged between 2 and 3 MiB.',
    ]);
    expect(report.problems.join('\n')).toMatch(/^The medium's manifest is not trusted: its checksum is/);
    await typed(
      machine,
      'cat /run/mindi/untrusted',
      /\nThe medium's manifest is not trusted:(?:.*\n)+mindi\/vmlinuz is damaged/,
    );
    expect(await disk.untouched()).toBe(true);
  });

  test('with a flipped bit in the second stage is not trusted, and it is found where', async () => {
    const copy = await damaged('stage2', [['mindi/stage2.squashfs', 3 * MIB + 5]]);
    await using machine = await boot(copy);
    const report = await ready(machine);
    expect(report).toMatchObject({ medium: null, trusted: false, check: { whole: false } });
    expect(report.check?.sentences).toEqual(['mindi/stage2.squashfs is damaged between 3 and 4 MiB.']);
    await typed(machine, 'mindi check; echo "code $?"', /damaged between 3 and 4 MiB\.\n(?:.*\n)*code 1\n/);
    await typed(
      machine,
      'mindi storage writable /dev/vda --yes; echo "code $?"',
      /lets nothing be written: (?:.*\n)*code 1\n/,
    );
    expect(await disk.untouched()).toBe(true);
  });
});

describe('a key with a passphrase', () => {
  test('of minisign: it is asked for on the terminal', async () => {
    const args = ['-G', '-p', at('locked.pub'), '-s', at('locked.key')];
    execFileSync('minisign', args, { input: 'phrase\nphrase\n', stdio: ['pipe', 'pipe', 'pipe'] });
    const text = await signAtTerminal(at('locked.key'), 'phrase', work.path);
    const key = parsePublicKey(readFileSync(at('locked.pub'), 'utf8'));
    expect(key).not.toBeNull();
    expect(key && verifySignature(Buffer.from('abc'), text, key)).toBeNull();
  });
});

describe('a profile with a secret it does not name', () => {
  test('is not built, and mindi plan says so', async () => {
    writeFileSync(at('careless.yaml'), 'name: careless\nextends: ./signed.yaml\naccess: { secrets: [] }\n');
    const options = { encoding: 'utf8', stdio: 'pipe' } as const;
    const built = spawnSync(
      MINDI,
      ['build', at('careless.yaml'), '--sign', at('mindi.key'), '--out', at('none'), '--json'],
      options,
    );
    expect(built.status).toBe(2);
    const { error } = JSON.parse(built.stdout);
    const found = (error.problems ?? [error]).map((one: { code: string; where: string }) => [one.code, one.where]);
    expect(new Set(found.map(String))).toEqual(new Set([`secrets.found,${at('signed.yaml')}:3:34`]));
    expect(built.stdout + built.stderr).not.toContain('hunter22');
    const planned = spawnSync(MINDI, ['plan', at('careless.yaml')], options);
    expect(planned.status).toBe(0);
    expect(planned.stderr).toContain(`${at('backup.env')} holds a backup passphrase: a build refuses it`);
    expect(existsSync(at('none'))).toBe(false);
  });
});

describe('a profile with a public key', () => {
  test('is not built unsigned, nor signed by another key', async () => {
    const profile = await loadProfile(at('signed.yaml'));
    await expect(build(profile, at('none'))).rejects.toMatchObject({ code: 'trust.unsigned', exitCode: 2 });
    execFileSync('minisign', ['-G', '-W', '-p', at('other.pub'), '-s', at('other.key')], { stdio: 'pipe' });
    const other = await signingKey(at('other.key'));
    await expect(build(profile, at('none'), {}, { sign: other })).rejects.toMatchObject({ code: 'sign.other-key' });
  });
});
