/**
 * What the init knows of drivers it does not have: beside the initrd's modules.dep lies a table of all other modules of
 * the kernel, `NAME STATE ALIAS…` a line, so that a device without a driver can be told what it lacks.
 */

/** In the directory of the kernel's modules, in the initrd. */
export const LEFT_OUT_FILE = 'modules.left-out';

export interface LeftOutModule {
  name: string;
  state: LeftOutState;
  /** Those by which a device or the kernel could ask for it. */
  aliases: string[];
}

/** Where a module is, or why it is nowhere. `needs:NAME`: it cannot work without that one, which is excluded. */
export type LeftOutState = keyof typeof REASONS | `needs:${string}`;

const REASONS = {
  stage2: 'it is in the second stage, which was not found',
  excluded: 'left out by drivers.exclude',
  unchosen: 'the profile does not choose it',
} as const;

/** Buses that lead to storage, network, tape and input. What else asks for drivers (sensors, sound) no rescue needs. */
export const BUSES_OF_USE: ReadonlySet<string> = new Set([
  'pci',
  'usb',
  'virtio',
  'scsi',
  'hid',
  'serio',
  'pcmcia',
  'mmc',
  'sdio',
  'ieee1394',
  'xen',
  'vmbus',
  'nd',
  'ssb',
  'bcma',
  'ccw',
  'vio',
  'of',
]);

/** Whether a device of these buses, or the kernel itself (`fs-xfs`, `crypto-sha256`), could ask by that alias. */
export function isOfUse(alias: string): boolean {
  const colon = alias.indexOf(':');
  return colon < 0 || BUSES_OF_USE.has(alias.slice(0, colon));
}

/** In words: `left out by drivers.exclude`. */
export function leftOutReason(state: LeftOutState): string {
  if (state in REASONS) return REASONS[state as keyof typeof REASONS];
  return `it needs ${state.slice('needs:'.length)}, left out by drivers.exclude`;
}

/** The file's text. The same modules give the same bytes, whatever their order. */
export function formatLeftOut(modules: readonly LeftOutModule[]): string {
  const lines = modules.map(({ name, state, aliases }) => `${[name, state, ...aliases.toSorted()].join(' ')}\n`);
  return lines.toSorted().join('');
}

export function parseLeftOut(text: string): LeftOutModule[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [name = '', state = 'unchosen', ...aliases] = line.split(' ');
      return { name, state: state as LeftOutState, aliases };
    });
}
