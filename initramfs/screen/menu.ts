import { type Boot, problem } from '../boot.ts';
import { log } from '../log.ts';
import { Unanswered } from '../person.ts';
import { readyReport } from '../report.ts';
import { SourceError } from '../sources/source.ts';
import { ENTRIES } from './entries.ts';
import { summary } from './facts.ts';
import type { Screen } from './screen.ts';
import type { Session } from './session.ts';
import { sourceText } from './source-entry.ts';

const HINT = 'Arrow keys and Enter, or a letter. On a screen: Alt-F2 a shell, Alt-F4 the log.';

/** Shows the menu and does what is chosen, again and again. */
export async function runMenu(boot: Boot, screen: Screen): Promise<never> {
  const session: Session = {
    boot,
    // A stick may change what the boot says.
    get context() {
      return { ...boot, person: screen };
    },
    screen,
    source: null,
  };
  boot.refresh = () => screen.refresh();
  let name = boot.mode === 'compare' ? 'compare' : 'restore';
  for (;;) {
    try {
      name = await choose(session, name);
    } catch (error) {
      await tellFailure(session, error as Error);
    }
  }
}

/** Returns the entry that was chosen, after it was done. */
async function choose(session: Session, preset: string): Promise<string> {
  const { boot, screen } = session;
  const choices = ENTRIES.map(({ name, key, text, state }) => ({
    value: name,
    key,
    text: `${text.padEnd(26)}${state?.(session) ?? ''}`,
  }));
  const head = () => summary(readyReport(boot), { config: boot.config, source: sourceText(boot, session.source) });
  const { value, terminal } = await screen.menu('', choices, { head, preset, hint: HINT });
  log(`menu: ${value}, chosen at ${terminal.name}`);
  await ENTRIES.find(({ name }) => name === value)?.run(session, terminal);
  return value;
}

async function tellFailure({ boot, screen }: Session, error: Error): Promise<void> {
  if (error instanceof Unanswered) return;
  if (error instanceof SourceError) return screen.show([error.message, error.hint]).catch(() => {});
  log(String(error.stack));
  problem(
    boot,
    `The menu could not do that: ${error.message}. The log says more; everything else in the menu can be used.`,
  );
}
