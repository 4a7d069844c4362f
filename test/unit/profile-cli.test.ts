import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { builtinProfiles, loadProfile, PROFILES } from '../../builder/profile/load.ts';
import { createStarter, profileName, type StarterFacts, starterProfile } from '../../builder/profile/starter.ts';
import { wizard } from '../../cli/wizard.ts';
import { Terminal } from '../terminal.ts';

const MINDI = resolve('bin/mindi');
const home = process.cwd();
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mindi-cli-'));
});
afterEach(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true });
});

async function mindi(...args: string[]) {
  const { exitCode, stdout, stderr } = await execa(MINDI, [...args], {
    cwd: folder,
    reject: false,
    stdin: 'ignore',
    env: { MINDI_LOG: join(folder, 'mindi.log') },
  });
  return { exitCode, stdout, stderr: stripVTControlCharacters(stderr) };
}

describe('mindi schema', () => {
  test('prints a draft 2020-12 schema that takes the built-ins and describes every field', async () => {
    const { exitCode, stdout } = await mindi('schema');
    expect(exitCode).toBe(0);
    const schema = JSON.parse(stdout);
    expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
    const validate = new Ajv2020({ allowUnionTypes: true }).compile(schema);
    for (const name of builtinProfiles()) {
      expect(validate(parse(readFileSync(join(PROFILES, `${name}.yaml`), 'utf8'))), name).toBe(true);
    }
    expect(validate({ name: 'x', sets: [] })).toBe(false);
    for (const [key, field] of Object.entries<{ description?: string; properties?: object }>(schema.properties)) {
      expect(field.description, key).toBeTruthy();
      for (const [inner, { description }] of Object.entries<{ description?: string }>({ ...field.properties })) {
        expect(description, `${key}.${inner}`).toBeTruthy();
      }
    }
  });

  test("with --stick that of a stick's config.yaml", async () => {
    const { exitCode, stdout } = await mindi('schema', '--stick');
    expect(exitCode).toBe(0);
    const validate = new Ajv2020({ allowUnionTypes: true }).compile(JSON.parse(stdout));
    expect(validate({ restore: { mode: 'expert' }, network: { ip: 'dhcp' } })).toBe(true);
    expect(validate({ kernel: 'auto' })).toBe(false);
  });
});

describe('mindi new', () => {
  test('writes a profile that loads, named after the machine, and says what to do next', async () => {
    const { exitCode, stdout, stderr } = await mindi('new');
    const name = profileName(hostname());
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `${name}.yaml` });
    expect(stderr).toContain(`mindi build ${name}.yaml`);
    expect(await loadProfile(join(folder, `${name}.yaml`))).toMatchObject({ name, kernel: 'auto', mountlist: 'host' });
  });

  test('never writes over a file', async () => {
    writeFileSync(join(folder, 'mine.yaml'), 'precious');
    const { exitCode, stdout, stderr } = await mindi('new', 'mine.yaml');
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/^mindi: mine\.yaml: this is there already.*\n {2}hint: /);
    expect(readFileSync(join(folder, 'mine.yaml'), 'utf8')).toBe('precious');
  });

  test('answers as JSON', async () => {
    const { stdout } = await mindi('new', 'c.yaml', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ file: 'c.yaml', name: profileName(hostname()) });
    expect(existsSync(join(folder, 'c.yaml'))).toBe(true);
  });

  test('where nothing can be written: no stack trace', async () => {
    for (const file of ['/proc/nothing/x.yaml', './', 'no/directory.yaml']) {
      const { exitCode, stderr } = await mindi('new', file);
      expect(exitCode, file).toBe(2);
      expect(stderr).not.toMatch(/\n\s+at /);
    }
    expect(existsSync(folder)).toBe(true);
  });

  test.each([
    ['Web_01.example.org', 'web_01'],
    ['localhost.localdomain', 'localhost'],
    ['--', 'rescue'],
    ['', 'rescue'],
    ['büro', 'b-ro'],
    [`${'a'.repeat(63)}-${'b'.repeat(9)}`, 'a'.repeat(63)],
    [`--${'a'.repeat(99)}`, 'a'.repeat(62)],
    ['x: y\nz', 'x-y-z'],
  ])('the host %j gives the profile %s', (host, name) => {
    expect(profileName(host)).toBe(name);
  });

  test('everything it suggests in comments loads, too', async () => {
    const found = { path: '/boot/vmlinuz-6.1.0', header: { release: '6.1.0' } } as StarterFacts['found'];
    const text = starterProfile({ host: 'web01', found, kernel: 'failsafe', media: ['iso'] });
    expect(text).toContain('Linux 6.1.0 (vmlinuz-6.1.0)');
    const opened = text.replaceAll(/^# (?=[a-z]+:| {2})/gm, '');
    expect(opened.match(/^[a-z]+:/gm)?.length).toBeGreaterThan(8);
    writeFileSync(join(folder, 'all.yaml'), opened);
    expect(await loadProfile(join(folder, 'all.yaml'))).toMatchObject({
      name: 'web01',
      kernel: 'failsafe',
      mountlist: { file: join(folder, 'mountlist.txt') },
      tools: { include: ['vim', join(folder, 'restore-database.sh')] },
      budget: { initrd: 80, ram: 512 },
    });
  });
});

describe('bare mindi', () => {
  test('not on a terminal: the commands, exit 2', async () => {
    const { exitCode, stdout, stderr } = await mindi();
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/Usage: mindi[\s\S]*schema/);
  });

  const found = { path: '/boot/vmlinuz-6.1.0', header: { release: '6.1.0' } } as StarterFacts['found'];

  /** Types one key at each question, as a person would. */
  async function asked(keys: string[], machine: StarterFacts) {
    process.chdir(folder);
    const input = new PassThrough();
    const output = Object.assign(new PassThrough(), { columns: 80, rows: 24 });
    const left = [...keys];
    let shown = '';
    let questions = 0;
    output.on('data', (chunk: Buffer) => {
      shown += stripVTControlCharacters(String(chunk));
      const now = shown.split('◆').length - 1;
      if (now > questions && left.length > 0) setImmediate(() => input.write(left.shift()));
      questions = now;
    });
    const built: unknown[] = [];
    const build = async (...call: unknown[]) => void built.push(call);
    const exitCode = await wizard({ input, output, machine, build });
    return { exitCode, built, shown, left };
  }

  test('on one: kernel, CD image, a profile of the answers, the build', async () => {
    const { exitCode, built, left } = await asked(['n', 'y', 'n', 'n', 'n'], { host: 'web01', found });
    expect({ exitCode, built, left }).toEqual({ exitCode: 0, built: [['web01.yaml', { out: 'out/web01' }]], left: [] });
    expect(await loadProfile('web01.yaml')).toMatchObject({ name: 'web01', kernel: 'failsafe', media: ['iso'] });
  });

  test('a machine without a kernel is not asked for it', async () => {
    const { exitCode, shown } = await asked(['y', 'y', 'n', 'n'], { host: 'web01' });
    expect(exitCode).toBe(0);
    expect(shown).not.toContain('own kernel (');
    expect(await loadProfile('web01.yaml')).toMatchObject({ kernel: 'auto', media: ['iso', 'usb'] });
  });

  test('no image, Ctrl-C and a profile not to be touched: nothing is built', async () => {
    expect(await asked(['y', 'n', 'n', 'n', 'n'], { host: 'web01', found })).toMatchObject({ exitCode: 1, built: [] });
    expect(await asked(['y', '\u0003'], { host: 'web01', found })).toMatchObject({ exitCode: 1, built: [] });
    expect(readdirSync(folder)).toEqual([]);
    await createStarter('web01.yaml', { host: 'web01' });
    expect(await asked(['n'], { host: 'web01', found })).toMatchObject({ exitCode: 1, built: [] });
    expect(await asked(['y'], { host: 'web01', found })).toMatchObject({ exitCode: 0 });
  });

  test('on a real terminal of 80 x 25: the question fits, and Ctrl-C leaves nothing behind', async () => {
    await using terminal = await Terminal.run(MINDI, folder);
    const asks = await terminal.waitFor(/bootable CD image|own kernel/);
    expect(asks).toMatch(/● Yes \/ ○ No/);
    expect(asks).toContain('mindi: rescue media for this machine');
    await terminal.press('C-c');
    expect(await terminal.waitFor(/exit status/)).toMatch(/Nothing was written\.[\s\S]*exit status 1$/m);
    expect(readdirSync(folder)).toEqual([]);
  });
});
