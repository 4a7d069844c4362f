import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { log } from './log.ts';

export const BUSYBOX = '/usr/bin/busybox';

export interface ProcessResult {
  /** Exit code; 127 when it could not be started, 124 when it was stopped at its limit. */
  code: number;
  stdout: string;
  stderr: string;
}

export interface ProcessOptions {
  input?: string | Uint8Array;
  /** Seconds until it is killed and given up, even where a hung device keeps the kernel from ending it. */
  limit?: number;
  /** What shows that it goes on: the limit begins anew whenever this has changed. */
  progress?: () => string;
  /** Beside the environment of this process. */
  env?: Readonly<Record<string, string>>;
  /** A file for what it complains of: for a program that leaves another running, which would keep a pipe open. */
  complaints?: string;
}

/** Runs a program and waits. Never throws: a failure is an answer. Logged with its time and what it complained of. */
export async function run(
  program: string,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<ProcessResult> {
  const started = performance.now();
  const result = await start(program, args, options);
  const seconds = ((performance.now() - started) / 1000).toFixed(2);
  log(`run ${[program, ...args].join(' ')}: exit ${result.code} in ${seconds} s`);
  for (const line of result.stderr.trim().split('\n').filter(Boolean)) log(`  | ${line}`);
  return result;
}

/** The same with a busybox applet, which is there whatever the second stage brought. */
export function busybox(args: readonly string[], options: ProcessOptions = {}): Promise<ProcessResult> {
  return run(BUSYBOX, args, options);
}

/** Where a program of the second stage is; null where it is not on the medium, though busybox may do something like it. */
export function findProgram(name: string): string | null {
  const places = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin'].map((folder) => `${folder}/${name}`);
  return places.find((path) => existsSync(path) && realpathSync(path) !== BUSYBOX) ?? null;
}

/** The last line a failed program said, without its own name before it. */
export function complaint({ code, stderr }: ProcessResult): string {
  const last = stderr.trim().split('\n').at(-1) ?? '';
  return last.replace(/^[\w.-]+: /, '') || `exit ${code}`;
}

function start(program: string, args: readonly string[], options: ProcessOptions): Promise<ProcessResult> {
  const { promise, resolve } = Promise.withResolvers<ProcessResult>();
  const { limit = 60, progress = () => '', complaints } = options;
  const file = complaints && openSync(complaints, 'w');
  const child = spawn(program, args, {
    stdio: [options.input === undefined ? 'ignore' : 'pipe', file ? 'ignore' : 'pipe', file || 'pipe'],
    env: { ...process.env, ...options.env },
  });
  const result: ProcessResult = { code: 127, stdout: '', stderr: '' };
  if (file) closeSync(file);
  let last = progress();
  const timer = setInterval(() => {
    const now = progress();
    if (now !== last) {
      last = now;
      return;
    }
    clearInterval(timer);
    child.kill('SIGKILL');
    resolve({ ...result, code: 124, stderr: `${result.stderr}no answer within ${limit} seconds` });
  }, limit * 1000);
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    result.stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    result.stderr += text;
  });
  child.stdin?.on('error', () => {}).end(options.input);
  child.on('error', (error) => {
    clearInterval(timer);
    resolve({ ...result, stderr: error.message });
  });
  child.on('close', (code, signal) => {
    clearInterval(timer);
    if (complaints) result.stderr = readFileSync(complaints, 'utf8');
    resolve({ ...result, code: code ?? 1, stderr: signal ? `${result.stderr}ended by ${signal}` : result.stderr });
  });
  return promise;
}
