import { writeFileSync } from 'node:fs';
import { READY_PREFIX } from '../../contract/report.ts';
import type { Step } from '../boot.ts';
import { log } from '../log.ts';
import { writeMissing } from '../missing-file.ts';
import { readyReport } from '../report.ts';

/** Says on every console that the rescue system is up; then each shows the menu, or a shell. */
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
    // Only now, so that it delays nothing.
    const { firstPage, startScreen } = await import('../screen/index.ts');
    // A line for programs, which would fill the screen until the menu stands there.
    boot.consoles.page(firstPage(boot, report));
    await boot.consoles.drain();
    await startScreen(boot, report);
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
