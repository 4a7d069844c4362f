import { symlinkSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { DriverSetSchema } from '../../builder/drivers/sets.ts';
import { builtinProfiles, loadProfile, PROFILES } from '../../builder/profile/load.ts';
import { ProfileSchema } from '../../builder/profile/schema.ts';
import { ToolSetSchema } from '../../builder/tools/sets.ts';
import { MindiError } from '../../contract/error.ts';
import { StickSchema } from '../../contract/settings/stick-schema.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const FIXTURES = 'test/fixtures/profiles';
const folder = temporaryFolder('profile');

let files = 0;
function file(text: string | Uint8Array, name = `p${files++}.yaml`): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function failure(nameOrPath: string): Promise<MindiError> {
  const error = await loadProfile(nameOrPath).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof MindiError) return error;
  throw error ?? new Error(`${nameOrPath} was loaded`);
}

/** `where code message`, one line a problem. */
function lines(error: MindiError): string[] {
  const problems = error.problems.length > 0 ? error.problems : [error];
  return problems.map(({ where, code, message }) => `${where?.replace(`${folder}/`, '')} ${code} ${message}`);
}

describe('a profile that is right', () => {
  test('every built-in loads, uses the auto kernel, and is complete', async () => {
    expect(builtinProfiles()).toEqual(expect.arrayContaining(['minimal', 'standalone']));
    for (const name of builtinProfiles()) {
      const profile = await loadProfile(name);
      expect(profile.name).toBe(name);
      expect(profile.kernel).toBe('auto');
      expect(profile.description).not.toBe('');
    }
  });

  test('every schema of ours is valid by its own draft', () => {
    for (const schema of [ProfileSchema, DriverSetSchema, ToolSetSchema, StickSchema]) {
      const ajv = new Ajv2020();
      expect(ajv.validateSchema(schema), JSON.stringify(ajv.errors)).toBe(true);
    }
  });

  test('standalone says every field the schema has: nothing is left without a value', async () => {
    const profile: Record<string, unknown> = { ...(await loadProfile('standalone')) };
    for (const [key, field] of Object.entries(ProfileSchema.properties)) {
      if (key === 'extends') continue;
      expect(profile, key).toHaveProperty(key);
      const inner = 'properties' in field ? Object.keys(field.properties as object) : [];
      for (const name of inner) expect(profile[key], `${key}.${name}`).toHaveProperty(name);
    }
  });

  test('a single line is enough: the rest is as in standalone', async () => {
    const { file: own, where, ...short } = await loadProfile(file('name: short\n'));
    const { file: _, where: __, ...standalone } = await loadProfile('standalone');
    expect(short).toEqual({ ...standalone, name: 'short', description: '' });
    expect(own).toMatch(/^\//);
    expect(where(['name'])).toMatch(/:1:7$/);
    expect(where(['boot', 'timeout'])).toMatch(/^profiles\/standalone\.yaml:\d+:\d+$/);
  });

  test('a chain: sections merge by key, lists and sources replace, `...` inherits, paths belong to their file', async () => {
    const profile = await loadProfile(`${FIXTURES}/chain/web01.yaml`);
    const chain = resolve(FIXTURES, 'chain');
    expect(profile).toMatchObject({
      name: 'web01',
      description: '',
      kernel: { package: `${chain}/site/kernel.rpm` },
      drivers: {
        sets: ['usb', '/srv/sets/fabric.yml', `${chain}/own-set.yaml`, 'scsi'],
        include: ['hpsa'],
        firmware: 'none',
      },
      tools: { sets: ['base'], include: ['vim', `${chain}/site/banner`, '/etc/issue'] },
      mountlist: { file: `${chain}/web01.txt` },
      boot: { timeout: 3, default: 'expert', append: ['nomodeset'] },
      initrd: { fold: true },
    });
    expect(profile).not.toHaveProperty('extends');
  });

  test('where() points into whichever file said it', async () => {
    const { where } = await loadProfile(`${FIXTURES}/chain/web01.yaml`);
    const at = (...path: (string | number)[]) => where(path).replace(`${FIXTURES}/chain/`, '');
    expect(at('drivers', 'sets', 0)).toBe('fleet.yaml:5:10');
    expect(at('drivers', 'sets', 2)).toBe('web01.yaml:4:15');
    expect(at('drivers', 'include', 0)).toBe('web01.yaml:5:13');
    expect(at('tools', 'include', 1)).toBe('site/web.yaml:6:18');
    expect(at('kernel', 'package')).toBe('site/web.yaml:4:20');
    expect(at('boot', 'timeout')).toBe('site/web.yaml:8:12');
    expect(at('initrd', 'fold')).toMatch(/^profiles\/minimal\.yaml:\d+:9$/);
    expect(at('tools', 'include', 99)).toBe('site/web.yaml:6:12');
    expect(at('nothing', 'of', 'this')).toBe('web01.yaml:1:1');
  });

  test('JSON, CRLF, a byte order mark, anchors and unusual names are all right', async () => {
    expect((await loadProfile(file('{"name": "json", "boot": {"timeout": 1}}'))).boot.timeout).toBe(1);
    expect((await loadProfile(file('\ufeffname: bom\r\nboot:\r\n  timeout: 2\r\n'))).boot.timeout).toBe(2);
    const anchored = await loadProfile(file('name: a\ndrivers: { sets: &s [usb] }\ntools: { sets: *s }\n'));
    expect(anchored.tools.sets).toEqual(['usb']);
    expect((await loadProfile(file('name: n\n', 'ünü 1.yaml'))).name).toBe('n');
  });

  test('a file may be called as a built-in is, and extend it', async () => {
    const own = file('name: mine\nextends: minimal\nboot: { timeout: 9 }\n', 'minimal.yaml');
    expect(await loadProfile(own)).toMatchObject({ boot: { timeout: 9 }, initrd: { fold: true } });
  });

  test('built-ins may lie elsewhere', async () => {
    const directory = join(folder, 'builtins');
    await mkdir(directory, { recursive: true });
    file('name: tiny\nboot: { timeout: 77 }\n', 'builtins/tiny.yaml');
    const profile = await loadProfile(file('name: x\nextends: tiny\n'), { profilesDirectory: directory });
    expect(profile.boot.timeout).toBe(77);
  });
});

describe('a profile that is wrong', () => {
  test('every mistake at once, each at its line and column', async () => {
    const error = await failure(`${FIXTURES}/mistakes.yaml`);
    expect(error.exitCode).toBe(2);
    expect(error.format().replaceAll(`${FIXTURES}/`, '')).toMatchInlineSnapshot(`
      "mistakes.yaml: 21 problems:
      mistakes.yaml:2:1: name is missing
        hint: name: names the media: NAME.iso; small letters, digits, dots, dashes and underlines.
      mistakes.yaml:2:1: unknown key "nmae"
        hint: Did you mean "name"?
      mistakes.yaml:3:9: kernel cannot be "runing"
        hint: Did you mean "running"? It is one of: auto, running, failsafe, { image: …, modules: … }, { package: … }.
      mistakes.yaml:5:3: unknown key "set" in drivers
        hint: Did you mean "sets"?
      mistakes.yaml:6:12: drivers.include must be a list, not "snd_foo, bar"
        hint: Write a list: [snd_foo, bar]
      mistakes.yaml:7:13: drivers.exclude[0] must be text, not 1
        hint: Put it in quotes: "1"
      mistakes.yaml:8:12: drivers.firmware has no value
        hint: Give it one, or leave the line out.
      mistakes.yaml:9:1: unknown key "sets"
        hint: It belongs under drivers: or tools:
      mistakes.yaml:10:14: media has "iso" twice
      mistakes.yaml:10:19: media[2] cannot be "floppy"
        hint: It is one of: iso, usb, obdr, netboot.
      mistakes.yaml:11:1: mountlist.file is missing
        hint: file: a mountlist written before by \`mindi makemountlist\`.
      mistakes.yaml:11:14: unknown key "fil" in mountlist
        hint: Did you mean "file"?
      mistakes.yaml:13:12: boot.timeout: -1 must be >= 0
        hint: boot.timeout: seconds the menu waits; 0: for ever.
      mistakes.yaml:14:11: boot.serial cannot be true
        hint: It is one of: false, a port and its speed, ttyS0,115200.
      mistakes.yaml:15:12: boot.append[0]: "a\\nb" has not the right form
        hint: boot.append[0]: one line of ASCII text.
      mistakes.yaml:16:8: tools must be a section (lines \`key: value\` below it), not []
      mistakes.yaml:17:17: initrd.fold must be true or false, not "yes"
        hint: Write true.
      mistakes.yaml:18:19: access.keymap must be text or null, not 3
        hint: Put it in quotes: "3"
      mistakes.yaml:19:18: restore.mode cannot be "nuk"
        hint: Did you mean "nuke"? It is one of: interactive, expert, compare, nuke.
      mistakes.yaml:20:16: budget.ram must be a number or null, not "lots"
      mistakes.yaml:21:10: network must be a section (lines \`key: value\` below it), not ["dhcp"]"
    `);
  });

  test.each([
    ['kernel: { image: a, modulse: b }', ['missing-key', 'unknown-key']],
    ['kernel: { package: { a: b } }', ['unknown-value']],
    ['kernel: /boot/vmlinuz', ['unknown-value']],
    ['kernel: 6.1', ['unknown-value']],
    ['kernel: [auto]', ['unknown-value']],
    ['kernel: { }', ['unknown-value']],
    ['boot: { serial: com1 }', ['bad-value']],
    ['boot: { timeout: 1.5 }', ['wrong-type']],
    ['boot: { timeout: .nan }', ['wrong-type']],
    ['drivers: { sets: [[a]] }', ['wrong-type']],
    ['drivers: { sets: [""] }', ['bad-value']],
    ['media: []', ['bad-value']],
    ['drivers:', ['no-value']],
    ['__proto__: { x: 1 }', ['unknown-key']],
    ['constructor: 1', ['unknown-key']],
    ['<<: { runtime: bun }', ['unknown-key']],
    ['1: 2', ['unknown-key']],
    ['~: 2', ['unknown-key']],
    ['? [a, b]\n: 2', ['syntax']],
    ['runtime: !!binary aGk=', ['syntax']],
    ['runtime: *nobody', ['syntax']],
    ['drivers: &d { sets: *d }', ['syntax']],
    ['runtime: node\nruntime: bun', ['duplicate-key']],
    ['boot: { timeout: 1, timeout: 1 }', ['duplicate-key']],
    ['boot:\n\ttimeout: 1', ['syntax']],
    ['boot: { timeout: 1', ['syntax']],
    ['runtime: "node', ['syntax']],
    ['runtime: @node', ['syntax']],
    ['---\nname: second', ['syntax']],
    ['runtime: \u0007', ['binary']],
  ])('%j', async (text, codes) => {
    const error = await failure(file(`name: x\n${text}\n`));
    expect(error.exitCode).toBe(2);
    expect(lines(error).map((line) => line.split(' ')[1])).toEqual(codes.map((code) => `profile.${code}`));
    for (const line of lines(error)) expect(line).toMatch(/^p\d+\.yaml:\d+:\d+ /);
  });

  test.each(['', '# nothing but a comment\n', '---\n', '\n\n', '~\n'])('empty: %j', async (text) => {
    expect(lines(await failure(file(text, 'empty.yaml')))).toEqual(['empty.yaml profile.empty this profile is empty']);
  });

  test.each(['just words', '[a, list]', '42', '"name: x"'])('no key and value: %j', async (text) => {
    expect(await failure(file(text))).toMatchObject({ code: 'profile.wrong-type', exitCode: 2 });
  });

  test.each(['', '-x', 'Ä', 'a b', '../x', 'A', 'a'.repeat(65), 'a/b', 'x\\ny'])('the name %j', async (name) => {
    expect((await failure(file(`name: "${name}"\n`))).code).toBe('profile.bad-value');
  });

  test('several syntax errors are told together', async () => {
    const error = await failure(file('name: "x\nboot: {\n', 'twice.yaml'));
    expect(lines(error).every((line) => line.startsWith('twice.yaml:'))).toBe(true);
  });

  test('mistakes in the file and in what it extends are told together', async () => {
    file('name: base\nruntim: bun\n', 'wrong-base.yaml');
    const error = await failure(file('name: x\nextends: wrong-base.yaml\nkernle: auto\n', 'own.yaml'));
    expect(lines(error)).toEqual([
      'own.yaml:3:1 profile.unknown-key unknown key "kernle"',
      'wrong-base.yaml:2:1 profile.unknown-key unknown key "runtim"',
    ]);
    file('name: base\nboot: {\n', 'broken-base.yaml');
    const both = lines(await failure(file('name: x\nextends: broken-base.yaml\nkernle: auto\n', 'own.yaml')));
    expect(both).toHaveLength(2);
    expect(both[1]).toMatch(/^broken-base\.yaml:\d+:\d+ profile\.syntax/);
  });

  test('a flood of mistakes is counted, not printed', async () => {
    const text = Array.from({ length: 5000 }, (_, i) => `key${i}: 1`).join('\n');
    const error = await failure(file(`name: x\n${text}\n`));
    expect(error.message).toMatch(/5000 problems, the first 50:$/);
    expect(error.problems).toHaveLength(50);
  });
});

describe('extends', () => {
  test.each([
    ['itself', ['itself.yaml', 'itself.yaml'], 'itself.yaml:2:10'],
    ['one', ['one.yaml', 'two.yaml', 'three.yaml', 'one.yaml'], 'three.yaml:2:10'],
  ])('a cycle names its chain: %s', async (name, chain, where) => {
    const error = await failure(`${FIXTURES}/cycle/${name}.yaml`);
    const path = (file: string) => `${FIXTURES}/cycle/${file}`;
    expect(error).toMatchObject({ code: 'profile.cycle', exitCode: 2, where: path(where) });
    expect(error.message).toBe(`the profile extends itself: ${chain.map(path).join(' -> ')}`);
  });

  test('a cycle through a symlink is one, too', async () => {
    file('name: real\nextends: alias.yaml\n', 'real.yaml');
    symlinkSync('real.yaml', join(folder, 'alias.yaml'));
    expect((await failure(join(folder, 'real.yaml'))).code).toBe('profile.cycle');
  });

  test('what is not there is told where it is named, with what is near', async () => {
    const error = await failure(file('name: x\nextends: standalon\n', 'base.yaml'));
    expect(lines(error)).toEqual(['base.yaml:2:10 profile.not-found there is no profile "standalon"']);
    expect(error.hint).toBe('Did you mean "standalone"?');
    expect((await failure(file('name: x\nextends: ./bsae.yaml\n'))).hint).toBe('Did you mean "./base.yaml"?');
  });

  test('the wrong type is a mistake of the file', async () => {
    expect(lines(await failure(file('name: x\nextends: [a, b]\n', 'l.yaml')))).toEqual([
      'l.yaml:2:10 profile.wrong-type extends must be text, not ["a","b"]',
    ]);
  });
});

describe('a file that is no profile', () => {
  test('missing: what is near, or what there is', async () => {
    expect(await failure('standaloen')).toMatchObject({
      code: 'profile.not-found',
      hint: 'Did you mean "standalone"?',
    });
    expect((await failure('./nowhere/at-all.yaml')).hint).toMatch(/^Built-in profiles: .*minimal.*standalone/);
    expect(await failure('')).toMatchObject({ exitCode: 2 });
    expect(await failure('a\0b')).toMatchObject({ code: 'profile.not-found' });
    expect(await failure('package.json/x.yaml')).toMatchObject({ code: 'profile.not-found' });
    expect(await failure('x'.repeat(5000))).toMatchObject({ code: 'profile.not-found' });
  });

  test('a directory, a device, another kind of file', async () => {
    expect(await failure(`${folder}/`)).toMatchObject({ code: 'profile.not-a-file', exitCode: 2 });
    expect(await failure('/dev/zero')).toMatchObject({ code: 'profile.not-a-file', where: '/dev/zero' });
    expect(await failure(process.execPath)).toMatchObject({ code: 'profile.too-big' });
  });

  test('binary, and text of other encodings with the line', async () => {
    const elf = Buffer.concat([Buffer.from('\x7fELF'), Buffer.alloc(64)]);
    expect(await failure(file(elf))).toMatchObject({ code: 'profile.binary', exitCode: 2 });
    const latin1 = Buffer.from('name: x\ndescription: B\xfcro\n', 'latin1');
    expect(lines(await failure(file(latin1, 'latin1.yaml')))[0]).toMatch(/^latin1\.yaml:2 profile\.not-utf8 /);
    const utf16 = Buffer.from('\ufeffname: x\n', 'utf16le');
    expect((await failure(file(utf16))).code).toBe('profile.not-utf8');
  });

  test('a billion laughs', async () => {
    const level = (i: number) =>
      `l${i}: &l${i} [${Array(10)
        .fill(`*l${i - 1}`)
        .join(', ')}]`;
    const text = ['name: x', 'l0: &l0 [ha]', ...Array.from({ length: 12 }, (_, i) => level(i + 1))].join('\n');
    expect((await failure(file(text))).format()).toMatch(/more than 20000 values/);
  });

  test.each(['[', '{', 'a: {b: ', '- ', '? ', '!t &a '])('%j without end', async (piece) => {
    expect(await failure(file(`name: x\nboot: ${piece.repeat(20_000)}`))).toMatchObject({ exitCode: 2 });
  });
});

test('the built-ins lie beside the code', () => {
  expect(PROFILES).toBe(resolve('profiles'));
});
