import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { log } from '../log.ts';
import { BUSYBOX, busybox } from '../process.ts';

/**
 * Terminals are lent to the menu by the shell script /usr/lib/mindi/menu, which has them as its own: it asks by a line in
 * REQUESTS and then waits at a pipe of its own for a word that ends the loan. The kernel closes that pipe when the init
 * dies, so that the script always comes back.
 */
const REQUESTS = '/run/mindi/terminals';

/** What the script does with its terminal afterwards: a shell, the log, a text it waits below, or it asks again. */
export type Word = 'shell' | 'log' | 'text' | 'again';

export interface Loan {
  /** Below /dev: `ttyS0`, `pts/0`. */
  name: string;
  /** Bytes as they are typed; it ends when the terminal is gone. */
  keys: NodeJS.ReadableStream;
  /** Ends the loan. */
  giveBack(word: Word): void;
}

/** Keys come one by one and unseen; Ctrl-\\ alone is a signal, by which the script takes its terminal back. */
const RAW = ['-icanon', '-echo', '-icrnl', '-ixon', 'isig', 'intr', 'undef', 'susp', 'undef', 'min', '1', 'time', '0'];
/** Whole lines, which the terminal itself shows and lets people correct. */
const LINES = ['sane', 'intr', 'undef', 'susp', 'undef'];

/** Has `take` called for every terminal that is lent. Returns what ends that. */
export async function listen(plain: boolean, take: (loan: Loan) => void): Promise<() => void> {
  await busybox(['rm', '-f', REQUESTS]);
  await busybox(['mkfifo', REQUESTS]);
  // Open for both directions, it never comes to an end.
  const reader = spawn(BUSYBOX, ['sh', '-c', `exec busybox cat <>${REQUESTS}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  reader.on('error', (error) => log(`no menu: ${error.message}`));
  let pending = '';
  reader.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (pending + text).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) void borrow(line, plain, take);
  });
  return () => reader.kill();
}

async function borrow(line: string, plain: boolean, take: (loan: Loan) => void): Promise<void> {
  const [, name, pipe] = /^([\w/]+) (\/run\/mindi\/[\w.-]+)$/.exec(line) ?? [];
  if (!name || !pipe) return;
  try {
    const fd = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
    await setTerminal(name, plain ? LINES : RAW);
    const reader = spawn(BUSYBOX, ['cat', `/dev/${name}`], { stdio: ['ignore', 'pipe', 'ignore'] });
    reader.on('error', (error) => log(`${name} cannot be read: ${error.message}`));
    writeSync(fd, `${reader.pid ?? 0}\n`);
    take({ name, keys: reader.stdout, giveBack: once((word) => end(reader, fd, word)) });
  } catch (error) {
    log(`${name} gets no menu: ${(error as Error).message}`);
  }
}

/** Whether the terminal shows what is typed. */
export async function echo(name: string, on: boolean): Promise<void> {
  await setTerminal(name, [on ? 'echo' : '-echo']);
}

async function setTerminal(name: string, words: readonly string[]): Promise<void> {
  await busybox(['stty', '-F', `/dev/${name}`, ...words], { limit: 5 });
}

function end(reader: ChildProcess, fd: number, word: Word): void {
  reader.once('close', () => {
    try {
      writeSync(fd, `${word}\n`);
    } catch (error) {
      log(`nobody waits for "${word}": ${(error as Error).message}`);
    }
    closeSync(fd);
  });
  reader.kill('SIGKILL');
}

function once<T>(act: (value: T) => void): (value: T) => void {
  let done = false;
  return (value) => {
    if (!done) act(value);
    done = true;
  };
}
