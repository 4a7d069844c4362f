import { appendFileSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

let file: string | null | undefined;

/** Where this run logs: /var/log/mindi.log, or the user's state directory when that is not writable; null if neither is. */
export function logFile(): string | null {
  if (file === undefined) file = candidates().find(writable) ?? null;
  return file;
}

/** Appends one timed line. Never fails: a full or read-only disk must not stop a build. */
export function log(line: string): void {
  const target = logFile();
  if (!target) return;
  try {
    appendFileSync(target, `${new Date().toISOString()} [${process.pid}] ${line}\n`);
  } catch {
    file = null;
  }
}

function candidates(): string[] {
  const state = process.env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state');
  const fallbacks = ['/var/log/mindi.log', join(state, 'mindi', 'mindi.log')];
  return process.env.MINDI_LOG ? [process.env.MINDI_LOG] : fallbacks;
}

function writable(path: string): boolean {
  try {
    mkdirSync(dirname(path), { recursive: true });
    appendFileSync(path, '');
    return true;
  } catch {
    return false;
  }
}
