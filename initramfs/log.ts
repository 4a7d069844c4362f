import { appendFileSync, readFileSync } from 'node:fs';
import { PATHS } from '../contract/rescue-config.ts';

/** Seconds since the kernel started, of /proc/uptime; two decimals. */
export function uptime(): number {
  return Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]);
}

/** Appends one timed line to /var/log/mindi.log. Never fails: a full memory must not stop a boot. */
export function log(text: string): void {
  try {
    appendFileSync(PATHS.log, `[${uptime().toFixed(2)}] ${text}\n`);
  } catch {
    // There is nowhere left to say it.
  }
}
