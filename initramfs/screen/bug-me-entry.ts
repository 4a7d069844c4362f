import { writeFileSync } from 'node:fs';
import { tell } from '../boot.ts';
import type { Entry, Session } from './session.ts';
import type { Terminal } from './terminal.ts';

/** What the script `menu` shows on a terminal that is given back for it. */
const TEXT = '/run/mindi/text';

export const bugMeEntry: Entry = {
  name: 'bug-me',
  key: 'w',
  text: 'Something is wrong',
  state: () => 'makes a report for whoever helps',
  run: report,
};

async function report({ boot, context, screen }: Session, terminal: Terminal): Promise<void> {
  const [{ askPlace, bugMe, ON_SCREEN, reportLines, summary }, { BugMeError }, { summaryPage }] = await Promise.all([
    import('../bug-me/bug-me.ts'),
    import('../bug-me/error.ts'),
    import('../bug-me/summary.ts'),
  ]);
  const place = await askPlace(context);
  if (place === ON_SCREEN && terminal.plain) return screen.show(summary());
  if (place === ON_SCREEN) {
    writeFileSync(TEXT, `\x1b[H\x1b[J${summaryPage(summary())}Enter goes back to the menu. `);
    return screen.release(terminal, 'text');
  }
  tell(boot, 'making the report');
  try {
    await screen.show(reportLines(await bugMe(context, place)));
  } catch (error) {
    if (!(error instanceof BugMeError)) throw error;
    await screen.show([error.message, error.hint]);
  }
}
