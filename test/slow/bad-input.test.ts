import { execFile } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { kernelFixture } from '../kernel-fixture.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { makeImage, TRIXIE } from '../unit/kernel-images.ts';

const MINDI = join(import.meta.dirname, '../../bin/mindi');
const folder = temporaryFolder('bad-input');

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

async function mindi(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return withCache(undefined, ...args);
}

async function withCache(cache: string | undefined, ...args: string[]) {
  const out = join(folder, 'out');
  const argv = args[0] === 'build' ? [...args, '--out', out] : args;
  const env = { ...process.env, ...(cache ? { MINDI_CACHE: cache } : {}) };
  try {
    return { code: 0, ...(await promisify(execFile)(MINDI, argv, { encoding: 'utf8', env })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

/** A kernel that is there: what is wrong elsewhere is told without fetching one. */
const image = await makeImage(join(folder, 'vmlinuz-trixie'), TRIXIE);
const { directory: modules } = await kernelFixture('trixie-amd64', { modules: 'stand-ins' });
const KERNEL = `name: x\nkernel: { image: ${image}, modules: ${modules} }\n`;

/** What a person did wrong, and what the answer must say: the file's name with line and column, what, a hint. */
const PROFILES: [what: string, name: string, text: string | Uint8Array, says: RegExp][] = [
  ['an unknown key', 'key.yaml', 'name: x\nkernle: auto\n', /key\.yaml:2:1: .*kernle.*\n\s+hint: .*kernel/],
  [
    'a wrong type',
    'type.yaml',
    'name: x\nboot: { timeout: soon }\n',
    /type\.yaml:2:18: boot\.timeout must be a whole number/,
  ],
  ['a YAML syntax error', 'syntax.yaml', 'name: [x\n', /syntax\.yaml:\d+:\d+: /],
  ['an empty file', 'empty.yaml', '', /empty\.yaml.*empty/],
  ['a binary file', 'binary.yaml', Buffer.from([0x7f, 0x45, 0, 0xff, 0xfe]), /binary\.yaml/],
  ['a profile that extends itself', 'self.yaml', 'name: x\nextends: ./self.yaml\n', /extends itself/],
  [
    'a kernel that is not there',
    'kernel.yaml',
    'name: x\nkernel: { image: /no/vmlinuz, modules: /no/m }\n',
    /kernel\.yaml:2:9: .*\/no\//,
  ],
  [
    'a truncated kernel image',
    'cut.yaml',
    `name: x\nkernel: { image: ${folder}/vmlinuz, modules: ${folder} }\n`,
    /vmlinuz/,
  ],
  [
    'an unknown tool set',
    'tools.yaml',
    `${KERNEL}tools: { sets: [bsae] }\n`,
    /tools\.yaml:3:17: .*bsae.*\n\s+hint: .*base/,
  ],
  [
    'a tool that is not there',
    'tool.yaml',
    `${KERNEL}tools: { include: [nosuchtool] }\n`,
    /tool\.yaml:3:20: .*nosuchtool/,
  ],
  ['a mountlist that is not there', 'list.yaml', `${KERNEL}mountlist: { file: none.txt }\n`, /none\.txt/],
];

describe('a profile with', () => {
  writeFileSync(join(folder, 'vmlinuz'), 'MZ and nothing else');
  test.concurrent.each(PROFILES)('%s is refused with its place', async (_what, name, text, says) => {
    const { code, stdout, stderr } = await mindi('build', file(name, text));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(says);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(readdirSync(folder)).not.toContain('out');
  });

  test('several mistakes is told all of them, as JSON too', async () => {
    const { code, stdout } = await mindi('plan', '--json', file('many.yaml', 'name: X\nmedia: [floppy]\nnope: 1\n'));
    expect(code).toBe(2);
    expect(JSON.parse(stdout).error.problems).toHaveLength(3);
  });
});

describe('a command line with', () => {
  test.concurrent.each([
    ['an unknown command', ['biuld', 'x'], 2],
    ['an unknown option', ['build', 'standalone', '--fast'], 2],
    ['an image that is none', ['boot', MINDI], 2],
    ['a profile that is not there', ['plan', 'standalnoe'], 2],
  ] as const)('%s is refused', async (_what, args, expected) => {
    const { code, stderr } = await mindi(...args);
    expect(code).toBe(expected);
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

test('a cache that cannot be written to is no bug of mindi', async () => {
  const { code, stderr } = await withCache(join(MINDI, 'cache'), 'build', file('good.yaml', KERNEL));
  expect(code).toBe(2);
  expect(stderr).toMatch(/mindi\/cache: mindi cannot use its cache: ENOTDIR.*\n\s+hint: .*MINDI_CACHE/);
});
