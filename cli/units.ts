import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { MindiError, messageOf } from '../contract/error.ts';
import { answer, talk } from './output.ts';

/** systemd's own names: NAME@INSTANCE.KIND, INSTANCE being a profile in /etc/mindi. */
const UNITS = ['mindi-archive@.service', 'mindi-archive@.timer', 'mindi-check@.service', 'mindi-check@.timer'];
const MINDI = fileURLToPath(new URL('../bin/mindi', import.meta.url));
const PLACE = '/etc/systemd/system';

/** `mindi units`. */
export function unitsCommand(): Command {
  return new Command('units')
    .description('systemd units that archive each night, and check each week whether the machine has changed')
    .option('--install', `write them to ${PLACE}`)
    .option('--to <directory>', 'write them there')
    .addHelpText(
      'after',
      `
Without an option they are printed. The profile is their instance: mindi-archive@srv.timer archives by /etc/mindi/srv.yaml.

Examples:
  mindi units | less
  mindi units --install
  systemctl daemon-reload
  systemctl enable --now mindi-archive@srv.timer mindi-check@srv.timer`,
    )
    .action(async ({ install, to = install ? PLACE : undefined }: { install?: boolean; to?: string }) => {
      const { render } = await import('../boot/menu.ts');
      const texts = await Promise.all(UNITS.map((name) => render(`systemd/${name}`, { mindi: quoted(MINDI) })));
      if (to === undefined) return answer(UNITS.map((name, n) => `# ${name}\n${texts[n]}`).join('\n'));
      const directory = resolve(to);
      await write(directory, texts);
      for (const name of UNITS) answer(join(directory, name));
      talk(
        'mindi: now: systemctl daemon-reload; systemctl enable --now mindi-archive@NAME.timer mindi-check@NAME.timer',
      );
    });
}

/** For ExecStart. systemd.service(5), systemd.unit(5). */
const quoted = (path: string) => {
  const plain = path.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /[\s"'\\]/.test(plain) ? JSON.stringify(plain) : plain;
};

async function write(directory: string, texts: readonly string[]): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
    for (const [n, name] of UNITS.entries()) await writeFile(join(directory, name), texts[n] ?? '');
  } catch (error) {
    throw new MindiError(`the units cannot be written: ${messageOf(error)}`, {
      code: 'units.storage',
      where: directory,
      hint: 'Run mindi as root, or name another directory by --to.',
      exitCode: 1,
    });
  }
}
