import { createInterface } from 'node:readline';
import type { Keyed } from './layout.ts';
import { echo } from './lending.ts';
import type { Asked, Standing } from './questions.ts';
import type { Terminal } from './terminal.ts';

/** The same questions for a terminal that only has lines: no escape sequence, nothing is drawn twice. */

export function plainMenu(terminal: Terminal, asked: Asked, choices: readonly Keyed[]): Standing {
  const { head, question, title } = asked.picture;
  const list = choices.map(({ text }, i) => `${String(i + 1).padStart(4)}  ${text}`);
  const preset = choices.findIndex(({ value }) => value === asked.preset) + 1;
  const end = preset > 0 ? `Number (Enter: ${preset}): ` : 'Number: ';
  terminal.write(['', `== ${title}`, ...head, ...list, question, end].filter((line) => line !== null).join('\n'));
  return lines(terminal, (line, again) => {
    const number = line === '' ? preset : /^\d+$/.test(line) ? Number(line) : letter(line, choices);
    const value = choices[number - 1]?.value;
    if (value === undefined) again(`Type a number from 1 to ${choices.length}: `);
    return value;
  });
}

export function plainInput(terminal: Terminal, { picture, preset }: Asked, secret: boolean): Standing {
  const end = preset ? `${picture.question} (Enter: ${preset}): ` : `${picture.question}: `;
  terminal.write(['', ...picture.head, end].join('\n'));
  const echoed = secret ? echo(terminal.name, false) : null;
  return lines(terminal, (line) => {
    void echoed?.then(() => echo(terminal.name, true));
    if (secret) terminal.write('\n');
    return line || (preset ?? '');
  });
}

function letter(line: string, choices: readonly Keyed[]): number {
  return choices.findIndex(({ key }) => key === line) + 1;
}

/** Takes lines until one is an answer. */
function lines(
  terminal: Terminal,
  take: (line: string, again: (text: string) => void) => string | undefined,
): Standing {
  terminal.forgetKeys();
  const reader = createInterface({ input: terminal.keys, terminal: false });
  const answer = new Promise<string>((resolve) => {
    reader.on('line', (line) => {
      const value = take(line.trim(), (text) => terminal.write(text));
      if (value === undefined) return;
      reader.close();
      resolve(value);
    });
  });
  return { answer, withdraw: () => reader.close() };
}
