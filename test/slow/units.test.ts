import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../temporary-folder.ts';

const folder = temporaryFolder('units');
const verify = async (units: string[]) => {
  const { all } = await execa('systemd-analyze', ['verify', '--man=no', ...units], { reject: false, all: true });
  return all;
};

test('mindi units writes what systemd takes, with a profile as instance', async () => {
  const { stdout } = await execa(resolve('bin/mindi'), ['units', '--to', folder], {
    env: { MINDI_LOG: join(folder, 'log') },
  });
  const units = stdout.split('\n');
  expect(units).toHaveLength(4);
  const instances = units.map((path) => path.replace('@.', '@srv.'));
  for (const [n, path] of units.entries()) symlinkSync(path, instances[n] ?? '');
  expect(await verify(instances)).toBe('');
  expect(readFileSync(join(folder, 'mindi-archive@.service'), 'utf8')).toContain(
    `ExecStart=${resolve('bin/mindi')} archive /etc/mindi/%i.yaml`,
  );
  const wrong = join(folder, 'wrong.service');
  writeFileSync(wrong, '[Service]\nExecStart=/bin/true\nIOWaight=20\n');
  expect(await verify([wrong])).toContain('IOWaight');
});
