import { execFileSync, type StdioOptions } from 'node:child_process';
import { chmod, cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BuildResult } from '../../builder/build.ts';
import { resolveKernel } from '../../builder/kernel/source.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';

/** Where this checkout is shown to a user who may not look into root's directories. */
const CHECKOUT = 'checkout';
const NOBODY = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups'];
const LATER = ['faketime', '-f', '+2y'];

let work: Scratch;
let kernel: { image: string; modulesDir: string };
let wanted: Record<string, string>;

beforeAll(async () => {
  work = await scratch('test');
  await chmod(work.path, 0o755);
  kernel = await resolveKernel('failsafe');
  const modules = join('modules', basename(kernel.modulesDir));
  for (const folder of [CHECKOUT, modules, 'home']) await mkdir(at(folder), { recursive: true });
  await chmod(at('home'), 0o777);
  await cp(kernel.image, at('vmlinuz'));
  await cp(join(import.meta.dirname, '../fixtures/mountlist/laptop.mountlist'), at('laptop.txt'));
  const lines = [
    ...['name: same', 'extends: standalone', 'media: [iso, usb, obdr, netboot]', 'mountlist: { file: laptop.txt }'],
    `kernel: { image: vmlinuz, modules: ${modules} }`,
  ];
  await writeFile(at('same.yaml'), lines.join('\n'));
  build(at('first'), [], { HOME: process.env.HOME });
  wanted = await written(at('first'));
});
afterAll(() => work[Symbol.asyncDispose]());

const at = (...path: string[]) => join(work.path, ...path);

/** Runs `mindi build` where the checkout and the kernel's modules are readable to everyone. */
function build(out: string, how: readonly string[], env: Record<string, string | undefined>): BuildResult {
  const modules = at('modules', basename(kernel.modulesDir));
  const binds = [join(import.meta.dirname, '../..'), at(CHECKOUT), kernel.modulesDir, modules];
  const script = 'mount --bind "$1" "$2" && mount --bind "$3" "$4" && shift 4 && exec "$@"';
  const command = [at(CHECKOUT, 'bin/mindi'), 'build', at('same.yaml'), '--out', out, '--json'];
  const words = ['--mount', 'sh', '-c', script, 'sh', ...binds, ...how, ...command];
  const stdio: StdioOptions = ['ignore', 'pipe', 'pipe'];
  const whole = { ...env, PATH: process.env.PATH };
  return JSON.parse(execFileSync('unshare', words, { env: whole, cwd: at('home'), encoding: 'utf8', stdio }));
}

/** Builds as another user, with a home, a cache and temporary files of its own, two years later in Tokyo. */
function elsewhere(out: string, umask: string): BuildResult {
  const env = { HOME: at('home'), TMPDIR: at('home'), TZ: 'Asia/Tokyo', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
  return build(out, [...NOBODY, 'sh', '-c', `umask ${umask}; exec "$@"`, 'sh', ...LATER], env);
}

/** Everything a build wrote, by path: a file's hash, and the rights of what is in a folder to serve. */
async function written(folder: string): Promise<Record<string, string>> {
  const paths = (await readdir(folder, { recursive: true })).sort();
  const facts = paths.map(async (path): Promise<[string, string]> => {
    const { mode } = await stat(join(folder, path));
    return [path, path.startsWith('netboot') ? mode.toString(8) : ''];
  });
  const all = Object.fromEntries(await Promise.all(facts));
  const sums = execFileSync('find', ['-type', 'f', '-exec', 'sha256sum', '{}', '+'], { cwd: folder, encoding: 'utf8' });
  for (const [, hash, path = ''] of sums.matchAll(/^(\w+) {2}\.\/(.+)$/gm)) all[path] = `${all[path]} ${hash}`;
  return all;
}

describe('all media of a profile, and what lies beside them, are byte for byte the same', () => {
  test('in another directory, built by another user with an empty cache, another umask, two years later', async () => {
    const { parts } = elsewhere(at('home/second'), '077');
    expect(parts.filter(({ name, cached }) => cached && name !== 'kernel')).toEqual([]);
    expect((await stat(at('home/second/same.iso'))).uid).not.toBe(0);
    const found = await written(at('home/second'));
    expect(Object.keys(found).filter((path) => !path.startsWith('netboot'))).toEqual([
      ...['same.cdx.json', 'same.img', 'same.iso', 'same.manifest.json', 'same.sha256sums', 'same.tap'],
    ]);
    expect(Object.keys(found)).toEqual(expect.arrayContaining(['netboot/initrd.img', 'netboot/mindi/stage2.squashfs']));
    expect(found).toEqual(wanted);
    execFileSync('sha256sum', ['--strict', '-c', 'same.sha256sums'], { cwd: at('home/second'), stdio: 'pipe' });
  });

  test('when that user builds them again with a full cache', async () => {
    const { parts } = elsewhere(at('home/third'), '022');
    expect(parts.filter(({ cached }) => !cached)).toEqual([]);
    expect(await written(at('home/third'))).toEqual(wanted);
  });

  test('and the documents have their time from the mountlist', async () => {
    const { metadata } = JSON.parse(await readFile(at('first/same.cdx.json'), 'utf8'));
    expect(metadata.timestamp).toBe('2026-11-23T00:13:33.000Z');
  });
});
