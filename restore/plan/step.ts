/** One thing a restore does to the disks: a program with exactly these words. */
export interface Step {
  /** `partition`, `array` …: for the display, and for who wants to run one kind alone. */
  kind: StepKind;
  /** Id of the device in the layout, or of this machine for what is stopped and wiped. */
  device: string;
  argv: string[];
  /** For its standard input. */
  input?: string;
  /** The passphrase for that device is its standard input, without a newline: never in the plan. */
  secret?: string;
  /** Device nodes that must be there when it has ended. */
  makes?: string[];
  /** What a restart of the machine takes away again: an open device, a mount. */
  holds?: { node: string } | { mount: string };
  /** Takes back what a try that was cut off may have left, before the next one; that it fails means nothing. */
  undo?: string[];
}

export const STEP_KINDS = [
  ...['stop', 'wipe', 'partition', 'array', 'encrypt', 'physical', 'group', 'volume', 'filesystem', 'subvolume'],
  ...['mount', 'swapfile'],
] as const;
export type StepKind = (typeof STEP_KINDS)[number] & string;

/** Where the new file systems are mounted. */
export const TARGET = '/mnt/RESTORING';

/** `--name value` for each that has a value. */
export function options(values: Readonly<Record<string, string | number | undefined>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [name, String(value)]));
}
