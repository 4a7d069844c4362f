import { rmSync, writeFileSync } from 'node:fs';
import type { ReadyReport } from '../../contract/report.ts';
import type { Boot } from '../boot.ts';
import { firstScreen, summary, title } from './facts.ts';
import { listen } from './lending.ts';
import { runMenu } from './menu.ts';
import { Screen } from './screen.ts';
import { sourceText } from './source-entry.ts';

/** What console-shell shows above a shell; without it the console is lent to the menu. */
const TEXT = '/run/mindi/screen';

/** What people see of the report until the menu stands there. */
export function firstPage(boot: Boot, report: ReadyReport): string[] {
  return [title(boot.config), ...summary(report, { config: boot.config, source: sourceText(boot, null) })];
}

/**
 * Gives every console the menu; in expert mode a shell, where `mindi menu` brings it. From now on a person can be asked,
 * but in nuke mode, where only the menu asks.
 */
export async function startScreen(boot: Boot, report: ReadyReport): Promise<void> {
  const screen = new Screen(title(boot.config), boot.consoles, boot.parameters.textOnly);
  if (boot.mode !== 'nuke') boot.person = screen;
  await listen(boot.parameters.textOnly, (loan) => screen.take(loan));
  if (boot.mode === 'expert') {
    writeFileSync(TEXT, firstScreen(report, { config: boot.config, source: sourceText(boot, null) }));
  } else {
    rmSync(TEXT, { force: true });
  }
  await boot.consoles.giveAway();
  void runMenu(boot, screen);
}
