import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../temporary-folder.ts';

const folder = temporaryFolder('check');
const MINDI = resolve('bin/mindi');
const at = (name: string) => join(folder, name);
const call = (program: string, ...args: string[]) =>
  execa(program, args, { reject: false, cwd: folder, env: { MINDI_LOG: at('log') } });
/** With another fstab, which nobody else sees. */
const elsewhere = (...args: string[]) =>
  call('unshare', '--mount', 'sh', '-c', 'mount --bind fstab /etc/fstab; exec "$@"', 'sh', MINDI, ...args);

async function built(name: string, mountlist: string): Promise<string> {
  writeFileSync(at(`${name}.yaml`), `name: ${name}\nextends: minimal\nmountlist: ${mountlist}\n`);
  const { exitCode, stderr } = await call(MINDI, 'build', `${name}.yaml`, '--out', folder);
  expect(exitCode, stderr).toBe(0);
  return `${name}.iso`;
}

test('a medium for this machine, and for any; a set; when fstab is another one', async () => {
  writeFileSync(at('fstab'), 'LABEL=elsewhere /elsewhere ext4 defaults 0 2\n');
  const [own, any] = [await built('own', 'host'), await built('any', 'none')];
  expect(await call(MINDI, 'check', own)).toMatchObject({
    exitCode: 0,
    stdout: 'own.iso: this machine is what it was made for',
  });
  const drift = await elsewhere('check', own);
  expect(drift).toMatchObject({
    exitCode: 1,
    stdout: expect.stringMatching(
      /configuration +\/etc\/fstab (has changed|is new)[\s\S]*What to do: build the medium again/,
    ),
  });
  expect(await call(MINDI, 'check', any)).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('does not say which machine'),
  });

  writeFileSync(
    at('set.yaml'),
    `name: set\narchive: { include: [${at('own.yaml')}], to: { directory: ${at('sets')} } }\n`,
  );
  expect(await call(MINDI, 'check', 'set.yaml')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('no complete set'),
  });
  expect((await call(MINDI, 'archive', 'set.yaml')).exitCode).toBe(0);
  expect((await call(MINDI, 'check', 'set.yaml')).exitCode).toBe(0);
  const { exitCode, stdout } = await elsewhere('check', at('sets'), '--json');
  expect({ exitCode, ...JSON.parse(stdout) }).toMatchObject({
    exitCode: 1,
    again: 'archive again',
    drift: [{ what: 'configuration', name: '/etc/fstab' }],
  });
});
