import type { BootParameters } from '../contract/boot-request.ts';
import type { CheckReport, SourceReport, StickReport } from '../contract/report.ts';
import type { RescueConfig, RestoreMode } from '../contract/rescue-config.ts';
import type { StorageReport } from '../contract/storage.ts';
import type { Consoles } from './consoles.ts';
import type { Device } from './devices.ts';
import type { KernelModules } from './kernel-modules.ts';
import { log, uptime } from './log.ts';
import type { Person } from './person.ts';

/** What looks for devices works with; a command in a shell has it, too. */
export interface Context {
  parameters: BootParameters;
  /** What the medium and a stick say; a command in a shell knows only the medium's file. */
  config?: RescueConfig;
  /** Where lines for people go. */
  consoles: { write(text: string): void };
  person: Person;
  modules: KernelModules;
  /** Devices that ask for a driver, as far as they have appeared. */
  devices: Device[];
}

/** What the steps share: what was asked for, what they work with, and what they found. */
export interface Boot extends Context {
  config: RescueConfig;
  mode: RestoreMode;
  consoles: Consoles;
  /** Where the second stage is: a device node, `ram`, `initrd` or a URL; null as long as it is not there. */
  medium: string | null;
  /** As ReadyReport says. */
  trusted: boolean | null;
  check: CheckReport | null;
  /** What was started on the disks. */
  storage: StorageReport;
  /** The network that was set up at boot; null as long as there is none. */
  network: Network | null;
  /** The source the boot parameters or the profile name; null: none. */
  source: SourceReport | null;
  /** Where people left files of their own for us. */
  sticks: StickReport[];
  /** Whether the page over HTTP is served. */
  statusPage: boolean;
  /** The keyboard's layout; null: the kernel's own (us). */
  keymap: string | null;
  /** Has what stands on the screen tell how things are now. */
  refresh(): void;
  /** Everything that went wrong, one sentence each. It is told at ready and never stops the boot. */
  problems: string[];
}

export interface Network {
  nic: string;
  /** Address of the server that started the machine, where DHCP or the boot loader named one. */
  server: string | null;
  /** Time servers: those DHCP named, and those that were told. */
  ntp: string[];
}

/** One step of the boot. It throws only for what it did not expect; that too becomes a problem and the next step follows. */
export interface Step {
  name: string;
  /** What people read when it begins; only for steps that may take a while. */
  says?: string;
  run(boot: Boot): Promise<void>;
}

/** A timed line for people: on every console and in the log. */
export function tell(boot: Pick<Context, 'consoles'>, text: string): void {
  log(text);
  boot.consoles.write(`mindi: ${uptime().toFixed(1).padStart(5)} s  ${text}\n`);
}

/** Remembers what went wrong and says it at once. */
export function problem(boot: Boot, sentence: string): void {
  boot.problems.push(sentence);
  tell(boot, `PROBLEM: ${sentence}`);
}
