import { appendFileSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { parseBootParameters } from '../../contract/command-line.ts';
import { PATHS } from '../../contract/rescue-config.ts';
import { findAndCheck } from '../check-medium.ts';
import { KernelModules } from '../kernel-modules.ts';
import { showFiles } from '../progress.ts';
import { readRescueConfig } from '../rescue-config.ts';
import type { Command } from './index.ts';

/** Progress on standard error, the answer on standard output. */
export const check: Command = {
  name: 'check',
  about: 'read the whole medium and compare it with what was built',
  run: checkMedium,
};

async function checkMedium(): Promise<number> {
  const modules = new KernelModules(release(), parseBootParameters(readFileSync('/proc/cmdline', 'utf8')));
  const report = await findAndCheck(
    readRescueConfig([]),
    modules,
    showFiles({
      progress: (line) => process.stderr.write(`\r${line}\x1b[K`),
    }),
  );
  modules.rest();
  process.stderr.write('\r\x1b[K');
  if (!report.whole) appendFileSync(PATHS.untrusted, `${report.sentences.join('\n')}\n`);
  process.stdout.write(`${report.sentences.join('\n')}\n`);
  return report.whole ? 0 : 1;
}
