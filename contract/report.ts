import type { StorageReport } from './storage.ts';
import type { Volume } from './volume.ts';

/** What the rescue system says of itself when it is up: one line on every console, `mindi: ready {json}`. */
export const READY_PREFIX = 'mindi: ready ';

export interface ReadyReport {
  /** Seconds since the kernel started, two decimals. */
  seconds: number;
  mode: string;
  name: string;
  kernel: string;
  /** Whether the firmware checked what it started, so that the kernel takes signed modules only. */
  secureBoot: boolean;
  runtime: string;
  /** Modules loaded by name, sorted. */
  modules: string[];
  /** Devices whose modalias no module on the media (nor built-in driver) answers. */
  missing: MissingDevice[];
  /** What the kernel itself asked for (`fs-xfs`, `crypto-sha256`) and would have, were it not left out. */
  requested: MissingRequest[];
  disks: { name: string; bytes: number; model: string; driver: string }[];
  /** What was started on the disks, read-only. */
  storage: StorageReport;
  /** `addresses` with their prefix, `10.0.2.15/24`; without those IPv6 has by itself. */
  nics: { name: string; mac: string; driver: string; link: boolean; addresses: string[] }[];
  tapes: { name: string; model: string }[];
  /** MemTotal and MemAvailable of /proc/meminfo, MiB. */
  memory: { total: number; available: number };
  /**
   * Where the second stage came from: device node, device node and ISO file (`/dev/sda1:/mindi.iso`), `ram` when it was
   * copied from one, `initrd`, a URL, or null when it was not found.
   */
  medium: string | null;
  /**
   * true: the medium's manifest is signed by the key of the profile. false: something of the medium is not what was
   * built, or is not there (problems say what). null: the profile names no key, and nothing was found wrong.
   */
  trusted: boolean | null;
  /** What the self-check found; null when none was asked for. */
  check: CheckReport | null;
  /** The source of restore data that the boot parameters or the profile name; null: none. */
  source: SourceReport | null;
  /** null: it does not run. */
  ssh: SshReport | null;
  /** Whether the page over HTTP is served. */
  statusPage: boolean;
  /** Files that people put on the medium or on USB sticks. */
  sticks: StickReport[];
  /** Everything that went wrong but did not stop the boot, one sentence each. */
  problems: string[];
}

export interface StickReport {
  /** `/dev/sdb1` */
  device: string;
  /** In its folder mindi/. */
  files: string[];
  /** Whether its config.yaml holds; false: something is wrong with it, and nothing of it is used. Null: there is none. */
  config: boolean | null;
}

export interface SourceReport {
  /** Without user and password. */
  address: string;
  /** Where its data are; null where they have no directory, or it is not open. */
  path: string | null;
  volumes: Volume[];
  /** Why it is not open. */
  failure: string | null;
}

/** SSH lets keys in, as root on port 22. */
export interface SshReport {
  /** Fingerprint of the host key, made at boot: `SHA256:…`. */
  hostKey: string;
  /** How many keys are let in. */
  keys: number;
}

/** A module of this kernel that is not here, and why. */
export interface MissingModule {
  module: string;
  why: string;
}

export interface MissingDevice {
  /** Name on its bus: `0000:00:1f.2`. */
  device: string;
  modalias: string;
  /** In words: `SATA controller 8086:2922`. */
  name: string;
  /** What would drive it; empty when this kernel has nothing for it. */
  modules: MissingModule[];
}

export interface MissingRequest {
  name: string;
  modules: MissingModule[];
}

/** One line for people: `SATA controller 8086:2922 at 0000:00:1f.2: ahci is not here (left out by drivers.exclude)`. */
export function missingDeviceLine({ device, name, modules }: MissingDevice): string {
  return `${name} at ${device}: ${modules.length > 0 ? absence(modules) : 'this kernel has no driver for it'}`;
}

/** The same of a request: `fs-xfs for the kernel: xfs is not here (the profile does not choose it)`. */
export function missingRequestLine({ name, modules }: MissingRequest): string {
  return `${name} for the kernel: ${absence(modules)}`;
}

function absence(modules: readonly MissingModule[]): string {
  const byReason = [...Map.groupBy(modules, ({ why }) => why)];
  const parts = byReason.map(([why, some]) => {
    const names = some.map(({ module }) => module).join(', ');
    return `${names} ${some.length > 1 ? 'are' : 'is'} not here (${why})`;
  });
  return parts.join('; ');
}

/** The whole medium read and compared. */
export interface CheckReport {
  whole: boolean;
  files: number;
  bytes: number;
  /** What a person reads: one sentence when it is whole, else one for each thing that is wrong. */
  sentences: string[];
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
