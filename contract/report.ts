/** What the rescue system says of itself when it is up: one line on every console, `mindi: ready {json}`. */
export const READY_PREFIX = 'mindi: ready ';

export interface ReadyReport {
  /** Seconds since the kernel started, two decimals. */
  seconds: number;
  mode: string;
  name: string;
  kernel: string;
  runtime: string;
  /** Modules loaded by name, sorted. */
  modules: string[];
  /** Devices whose modalias no module on the media (nor built-in driver) answers. */
  missing: { device: string; modalias: string }[];
  disks: { name: string; bytes: number; model: string; driver: string }[];
  nics: { name: string; mac: string; driver: string; link: boolean }[];
  tapes: { name: string; model: string }[];
  /** MemTotal and MemAvailable of /proc/meminfo, MiB. */
  memory: { total: number; available: number };
  /** Where the second stage came from: device node, `ram` when it was copied from one, `initrd`, or null when it was not found. */
  medium: string | null;
  /** Everything that went wrong but did not stop the boot, one sentence each. */
  problems: string[];
}

/** Finds the ready line in console output. Returns undefined when there is none or its JSON is not whole yet. */
export function findReady(console: string): ReadyReport | undefined {
  const start = console.indexOf(READY_PREFIX);
  if (start < 0) return undefined;
  const end = console.indexOf('\n', start);
  if (end < 0) return undefined;
  try {
    return JSON.parse(console.slice(start + READY_PREFIX.length, end).trim()) as ReadyReport;
  } catch {
    return undefined;
  }
}
