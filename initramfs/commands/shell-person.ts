import { createInterface } from 'node:readline/promises';
import { type Person, Unanswered } from '../person.ts';
import { busybox } from '../process.ts';

/** Whoever typed a command in a shell: answers are typed as numbers and words. */
export const shellPerson: Person = {
  there: true,
  choose: async (question, choices, preset) => {
    const list = choices.map(({ text }, index) => `  ${index + 1}  ${text}\n`).join('');
    const usual = choices.findIndex(({ value }) => value === preset) + 1;
    for (;;) {
      const answer = await ask(`${question}\n${list}Number${usual ? ` [${usual}]` : ''}: `);
      const choice = choices[Number(answer || usual) - 1];
      if (choice) return choice.value;
    }
  },
  enter: async (question, { preset = '', secret = false } = {}) => {
    if (secret) await busybox(['stty', '-F', '/dev/tty', '-echo']);
    try {
      return (await ask(`${question}${preset && ` [${preset}]`}: `)) || preset;
    } finally {
      if (secret) await busybox(['stty', '-F', '/dev/tty', 'echo']);
    }
  },
};

/** One line of standard input; standard output is for the command's answer. */
async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const ended = Promise.withResolvers<never>();
  lines.once('close', () => ended.reject(new Unanswered('The input has ended.')));
  try {
    return (await Promise.race([lines.question(question), ended.promise])).trim();
  } finally {
    lines.removeAllListeners('close').close();
  }
}
