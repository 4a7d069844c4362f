import { writeFileSync } from 'node:fs';
import { READY_PREFIX } from '../../contract/report.ts';
import type { Step } from '../boot.ts';
import { log } from '../log.ts';
import { writeMissing } from '../missing-file.ts';
import { readyReport } from '../report.ts';
import { firstScreen } from '../screen.ts';

/** What console-shell shows above its prompt. */
const SCREEN = '/run/mindi/screen';

/** Says on every console that the rescue system is up, and gives each a shell. */
export const ready: Step = {
  name: 'ready',
  async run(boot) {
    await boot.consoles.open();
    const report = readyReport(boot);
    silenceKernel();
    const line = `${READY_PREFIX}${JSON.stringify(report)}`;
    log(line);
    // The line before may be unfinished: a kernel message, a firmware's menu.
    boot.consoles.write(`\n${line}\n`);
    writeMissing(report);
    writeFileSync(SCREEN, firstScreen(report, boot.config));
    await boot.consoles.drain();
    await boot.consoles.giveShells();
  },
};

/** From now on people type: kernel messages are in dmesg, only emergencies reach the screen. */
function silenceKernel(): void {
  try {
    writeFileSync('/proc/sys/kernel/printk', '1');
  } catch (error) {
    log(`kernel messages stay on the consoles: ${(error as Error).message}`);
  }
}
