import { createInterface } from 'node:readline/promises';

/** Asks the person at the terminal, about a disc, a tape or a stick: stdout is data. Undefined where nobody is there. */
export const askAtTerminal = (): ((question: string) => Promise<string>) | undefined =>
  process.stdin.isTTY ? ask : undefined;

async function ask(question: string): Promise<string> {
  const line = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await line.question(`\n${question} `);
  } finally {
    line.close();
  }
}
