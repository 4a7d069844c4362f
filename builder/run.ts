import type { Readable, Writable } from 'node:stream';
import { ExecaError, execa, execaSync } from 'execa';
import { MindiError } from '../contract/error.ts';
import { packageFor } from './doctor/packages.ts';
import { log } from './log.ts';

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Bytes, or chunks as they come, for standard input. */
  input?: string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /** Write standard output to this file instead of keeping it. */
  stdoutFile?: string;
  /** Hears each line of standard error as it comes. */
  onLine?: (line: string) => void;
  /** Exit codes that are answers and not failures; 0 always is. */
  accept?: number[];
  /** The program may talk with the person at the terminal: its standard input and error are ours, and not in the log. */
  terminal?: boolean;
  /** Milliseconds; a tool that hangs is killed. */
  timeout?: number;
  /** Kills it. */
  signal?: AbortSignal | undefined;
  /** The package that brings the tool, for the error, where `mindi doctor` does not know it. */
  package?: string;
}

export interface RunResult {
  stdout: string;
  stderr: string;
  exitCode: number;
}

/**
 * Runs an external program: argv only, LC_ALL=C, no standard input unless given, logged with its time and stderr.
 * @throws MindiError `tool.missing` when it is not installed, `tool.failed` when it exits with a code not accepted.
 */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const started = performance.now();
  const { input, stdoutFile } = options;
  try {
    const result = await execa(program, args, {
      cwd: options.cwd,
      env: { LC_ALL: 'C', ...options.env },
      stdin: typeof input === 'object' && !(input instanceof Uint8Array) ? input : undefined,
      ...(typeof input === 'string' || input instanceof Uint8Array ? { input } : {}),
      ...(input === undefined ? { stdin: options.terminal ? ('inherit' as const) : ('ignore' as const) } : {}),
      ...(options.terminal ? { stderr: 'inherit' as const } : {}),
      stdout: stdoutFile ? { file: stdoutFile } : 'pipe',
      ...(options.onLine ? { stderr: heard(options.onLine) } : {}),
      buffer: stdoutFile ? { stdout: false } : true,
      timeout: options.timeout,
      cancelSignal: options.signal,
      stripFinalNewline: false,
    });
    logCommand(program, args, started, result.exitCode ?? 0, String(result.stderr ?? ''));
    return { stdout: String(result.stdout ?? ''), stderr: String(result.stderr ?? ''), exitCode: result.exitCode ?? 0 };
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    const stderr = String(error.stderr ?? '');
    logCommand(program, args, started, error.exitCode ?? -1, stderr || error.shortMessage);
    if (error.code === 'ENOENT' && !(options.cwd && error.message.includes('cwd')))
      throw missingTool(program, packageFor(program) ?? options.package);
    if (error.exitCode !== undefined && options.accept?.includes(error.exitCode)) {
      return { stdout: String(error.stdout ?? ''), stderr, exitCode: error.exitCode };
    }
    const what = error.timedOut
      ? `did not finish within ${options.timeout} ms`
      : `failed (exit ${error.exitCode ?? error.signal ?? error.code})`;
    const said = stderr.trim().split('\n').slice(-5).join('\n  ');
    throw new MindiError(`${program} ${what}${said ? `:\n  ${said}` : ''}`, {
      code: 'tool.failed',
      hint: 'The whole command and what it said are in the log.',
      exitCode: 70,
      cause: error,
    });
  }
}

/** A program whose output is too much to keep. */
export interface Running {
  pid: number | undefined;
  stdin: Writable;
  stdout: Readable;
  /** When it has ended, however it did: null when a signal killed it. Its standard error is complete then. */
  ended: Promise<{ exitCode: number | null; stderr: string }>;
  kill: () => void;
}

/**
 * Starts an external program whose streams the caller feeds and reads: argv only, LC_ALL=C, logged when it ends.
 * @throws MindiError `tool.missing`, by `ended`.
 */
export function start(
  program: string,
  args: readonly string[],
  options: { package?: string; env?: Record<string, string>; cwd?: string } = {},
): Running {
  const started = performance.now();
  const child = execa(program, args, {
    cwd: options.cwd,
    env: { LC_ALL: 'C', ...options.env },
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    buffer: { stdout: false },
    reject: false,
  });
  const end = async () => {
    const { exitCode, stderr, code, shortMessage } = await child;
    if (code === 'ENOENT') throw missingTool(program, packageFor(program) ?? options.package);
    logCommand(program, args, started, exitCode ?? -1, String(stderr ?? shortMessage ?? ''));
    return { exitCode: exitCode ?? null, stderr: String(stderr ?? '') };
  };
  // A program that ends early takes no more: what it says and its exit code tell why.
  child.stdin.on('error', () => {});
  return { pid: child.pid, stdin: child.stdin, stdout: child.stdout, ended: end(), kill: () => void child.kill() };
}

/** Runs a program and waits, for what must be done while the process ends. Any exit code is an answer; 127: there is no such program. */
export function runSync(
  program: string,
  args: readonly string[],
  options: { env?: Record<string, string> } = {},
): RunResult {
  const started = performance.now();
  const { exitCode, stdout, stderr } = execaSync(program, args, {
    env: { LC_ALL: 'C', ...options.env },
    stdin: 'ignore',
    reject: false,
  });
  logCommand(program, args, started, exitCode ?? 127, stderr ?? '');
  return { stdout: stdout ?? '', stderr: stderr ?? '', exitCode: exitCode ?? 127 };
}

/** Passes bytes through a program and waits: for worker threads, whose waiting holds up nobody. */
export function filterSync(program: string, args: readonly string[], input: Uint8Array): Buffer {
  const { stdout, failed, code, stderr } = execaSync(program, args, {
    env: { LC_ALL: 'C' },
    input,
    encoding: 'buffer',
    stripFinalNewline: false,
    maxBuffer: 1 << 30,
    reject: false,
  });
  if (code === 'ENOENT') throw missingTool(program, packageFor(program));
  if (!failed) return Buffer.from(stdout.buffer, stdout.byteOffset, stdout.byteLength);
  throw new MindiError(`${program} failed: ${Buffer.from(stderr).toString().trim()}`, {
    code: 'tool.failed',
    exitCode: 70,
  });
}

/** A transform of execa's that lets every line pass. */
function heard(onLine: (line: string) => void) {
  return function* (line: unknown) {
    onLine(String(line));
    yield line;
  };
}

function missingTool(program: string, packageName: string | undefined): MindiError {
  return new MindiError(`the program ${program} is not installed`, {
    code: 'tool.missing',
    hint: packageName
      ? `Install the package ${packageName}, or run \`mindi doctor\`.`
      : 'Run `mindi doctor` to see what brings it.',
  });
}

function logCommand(program: string, args: readonly string[], started: number, exitCode: number, stderr: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(2);
  log(`run ${JSON.stringify([program, ...args])} exit ${exitCode} in ${seconds} s`);
  for (const line of stderr.trim().split('\n').filter(Boolean)) log(`  | ${line}`);
}
