import { Prompt, TextPrompt } from '@clack/core';
import { inputLines, type Keyed, menuLines, type Picture, typedLine } from './layout.ts';
import type { Terminal } from './terminal.ts';

/** A question that stands on one terminal. */
export interface Standing {
  /** What the person says; null when they go back (Esc). Never resolves once it was withdrawn. */
  answer: Promise<string | null>;
  /** Takes it off the terminal: it was answered somewhere else. */
  withdraw(): void;
}

export interface Asked {
  picture: Picture;
  preset: string | undefined;
}

const CLEAR = '\x1b[H\x1b[J';

/** A menu: arrow keys and Enter, or the key of a choice. */
export function menu(terminal: Terminal, { picture, preset }: Asked, choices: readonly Keyed[]): Standing {
  let cursor = Math.max(
    0,
    choices.findIndex(({ value }) => value === preset),
  );
  const prompt = new Prompt<string>(
    {
      ...streams(terminal),
      render() {
        return this.state === 'submit' || this.state === 'cancel'
          ? ''
          : menuLines(noted(picture, terminal), choices, cursor).join('\n');
      },
    },
    false,
  );
  prompt.value = choices[cursor]?.value;
  prompt.on('key', (char, { name } = {}) => {
    const byKey = choices.findIndex(({ key }) => key === char);
    const next = byKey >= 0 ? byKey : moved(cursor, name, choices.length);
    if (next !== cursor) {
      // Of two lines that change the library draws all between and below again, which takes long at 9600 baud.
      cursor = -1;
      terminal.redraw?.();
    }
    cursor = next;
    prompt.value = choices[cursor]?.value;
    if (byKey >= 0) prompt.state = 'submit';
  });
  return stand(terminal, prompt);
}

/** A line to type. What is secret is not shown. */
export function input(terminal: Terminal, { picture, preset }: Asked, secret: boolean): Standing {
  const prompt: TextPrompt = new TextPrompt({
    ...streams(terminal),
    initialUserInput: preset,
    render() {
      if (this.state === 'submit' || this.state === 'cancel') return '';
      return inputLines(
        noted(picture, terminal),
        typedLine(secret ? '' : this.userInput, secret ? 0 : prompt.cursor),
      ).join('\n');
    },
  });
  return stand(terminal, prompt);
}

function noted(picture: Picture, { note }: Terminal): Picture {
  return note ? { ...picture, news: [...picture.news, note] } : picture;
}

function streams(terminal: Terminal) {
  return { input: terminal.keys, output: terminal.screen };
}

function moved(cursor: number, key: string | undefined, count: number): number {
  const steps: Record<string, number> = {
    up: cursor > 0 ? cursor - 1 : count - 1,
    down: cursor < count - 1 ? cursor + 1 : 0,
    pageup: Math.max(0, cursor - 10),
    pagedown: Math.min(count - 1, cursor + 10),
    home: 0,
    end: count - 1,
  };
  return steps[key ?? ''] ?? cursor;
}

function stand(terminal: Terminal, prompt: Prompt<string>): Standing {
  terminal.forgetKeys();
  terminal.write(CLEAR);
  terminal.redraw = () => terminal.screen.emit('resize');
  let withdrawn = false;
  const answer = new Promise<string | null>((resolve) => {
    prompt.prompt().then((value) => {
      terminal.redraw = null;
      if (!withdrawn) resolve(typeof value === 'string' ? value : null);
    });
  });
  const withdraw = () => {
    withdrawn = true;
    // Ctrl-C, as the library has it: the question ends and leaves nothing behind.
    terminal.keys.emit('keypress', '\x03', { name: 'c', ctrl: true, sequence: '\x03' });
  };
  return { answer, withdraw };
}
