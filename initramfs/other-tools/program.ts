import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { log } from '../log.ts';

/** Lines of a program that are kept in the log: it lies in memory, and some tools name every file. */
const MOST_LINES = 5000;
/** Milliseconds in which the last of what an ended program said arrives. */
const LINGER = 2000;

/** Who sees what the program says. */
export interface Audience {
  /** Of its standard output, one at a time. */
  progress(line: string): void;
  /** Of its standard error. */
  complaint(line: string): void;
}

export interface Ended {
  /** Exit code; 127 when it could not be started, 128 and more by a signal. */
  code: number;
  /** For people: `exit 1: the last line it complained of`. */
  how: string;
}

/**
 * Runs a program of any length to its end.
 * @param audience null: it has the terminal of this process, and may ask there
 */
export function runProgram(
  words: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>>,
  audience: Audience | null,
): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  const [program = '', ...args] = words;
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: audience ? ['ignore', 'pipe', 'pipe'] : 'inherit',
  });
  let last = '';
  let lines = 0;
  const keep = (line: string) => {
    lines += 1;
    if (lines <= MOST_LINES) log(`  | ${line}`);
    if (lines === MOST_LINES) log('  | (what it says from here on is not kept)');
  };
  const listen = (stream: NodeJS.ReadableStream | null, tell: (line: string) => void) => {
    if (!stream) return;
    // A carriage return ends a line of progress, too.
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
      if (line.trim() === '') return;
      keep(line);
      tell(line);
    });
  };
  listen(child.stdout, (line) => audience?.progress(line));
  listen(child.stderr, (line) => {
    last = line;
    audience?.complaint(line);
  });
  child.on('error', (error) => resolve({ code: 127, how: error.message }));
  const end = (code: number | null, signal: NodeJS.Signals | null) => {
    const said = last ? `: ${last}` : '';
    resolve({ code: code ?? 128, how: `${signal ? `ended by ${signal}` : `exit ${code}`}${said}` });
  };
  child.on('close', end);
  // What it left running may hold its output for ever.
  child.on('exit', (...how) => setTimeout(() => end(...how), LINGER).unref());
  giveUsualRank(child.pid);
  return promise;
}

/** The init itself goes last when memory runs out; this must not. */
function giveUsualRank(pid: number | undefined): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '0');
  } catch (error) {
    log(`the rank of process ${pid} stays: ${(error as Error).message}`);
  }
}
