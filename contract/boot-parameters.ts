/**
 * The kernel command line as mindi reads it. One table: the parser, the boot menu and the docs all come from it. Names
 * the table does not know belong to the kernel or to a module and are left alone, except in mindi's own namespace.
 */
import { RESTORE_MODES, type RestoreMode } from './rescue-config.ts';

/** How a parameter's value is read: `flag` takes none, `list` takes words between commas or spaces. */
type Kind = 'flag' | 'word' | 'list' | 'seconds';

interface ParameterBase {
  /** As written on the command line, without `=`. */
  name: string;
  aliases?: readonly string[];
  /** One sentence for people. */
  about: string;
}
interface ModeParameter extends ParameterBase {
  sets: 'mode';
  kind: 'flag';
  value: RestoreMode;
}
interface NamedModeParameter extends ParameterBase {
  sets: 'mode';
  kind: 'word';
}
interface ValueParameter extends ParameterBase {
  sets: 'keymap' | 'ip' | 'iso' | 'bootif' | 'server' | 'stage2' | 'deny' | 'force' | 'wait';
  kind: Exclude<Kind, 'flag'>;
}
interface SwitchParameter extends ParameterBase {
  sets: 'toRam' | 'check' | 'dontEject';
  kind: 'flag';
}
export type BootParameter = ModeParameter | NamedModeParameter | ValueParameter | SwitchParameter;

export const BOOT_PARAMETERS: readonly BootParameter[] = [
  {
    name: 'interactive',
    aliases: ['interactive_mode'],
    sets: 'mode',
    kind: 'flag',
    value: 'interactive',
    about: 'Ask about the restore data and confirm every step.',
  },
  {
    name: 'expert',
    aliases: ['expert_mode'],
    sets: 'mode',
    kind: 'flag',
    value: 'expert',
    about: 'Give a shell; nothing is started and nothing is written.',
  },
  {
    name: 'compare',
    aliases: ['compare_mode'],
    sets: 'mode',
    kind: 'flag',
    value: 'compare',
    about: 'Compare the restore data with this machine; nothing is written.',
  },
  {
    name: 'nuke',
    aliases: ['nuke_mode'],
    sets: 'mode',
    kind: 'flag',
    value: 'nuke',
    about: 'Partition, format and restore this machine without asking.',
  },
  {
    name: 'RESTORE',
    aliases: ['RESTORE_mode', 'restore'],
    sets: 'mode',
    kind: 'flag',
    value: 'nuke',
    about: 'As nuke: restore without asking.',
  },
  { name: 'mindi.mode', sets: 'mode', kind: 'word', about: `One of ${RESTORE_MODES.join(', ')}.` },
  { name: 'mindi.keymap', sets: 'keymap', kind: 'word', about: 'Console keymap, for example de-latin1.' },
  {
    name: 'mindi.ip',
    aliases: ['ip'],
    sets: 'ip',
    kind: 'word',
    about: 'dhcp, NIC:dhcp or CLIENT:SERVER:GATEWAY:NETMASK: bring the network up at boot.',
  },
  {
    name: 'mindi.bootif',
    aliases: ['BOOTIF'],
    sets: 'bootif',
    kind: 'word',
    about: 'Hardware address of the network card to use, as boot loaders write it: 01-aa-bb-cc-dd-ee-ff.',
  },
  {
    name: 'mindi.server',
    sets: 'server',
    kind: 'word',
    about: 'Address of the boot server, which has the second stage when nothing else is said.',
  },
  {
    name: 'mindi.stage2',
    sets: 'stage2',
    kind: 'word',
    about:
      'Where to fetch the second stage: http://…, tftp://… or nfs:SERVER:/PATH of the netboot folder, or its path on the boot server.',
  },
  {
    name: 'mindi.iso',
    sets: 'iso',
    kind: 'word',
    about: 'Path of the ISO file on its disk or stick, when a boot loader started it from there.',
  },
  {
    name: 'toram',
    aliases: ['mindi.toram'],
    sets: 'toRam',
    kind: 'flag',
    about: 'Copy the second stage to RAM, so that the medium can be taken out.',
  },
  {
    name: 'mindi.check',
    sets: 'check',
    kind: 'flag',
    about: 'Read the whole medium and compare it with what was built; then give a shell.',
  },
  {
    name: 'donteject',
    sets: 'dontEject',
    kind: 'flag',
    about: 'Leave discs and tapes in their drives.',
  },
  {
    name: 'denymods',
    aliases: ['modprobe.blacklist'],
    sets: 'deny',
    kind: 'list',
    about: 'Kernel modules that are not loaded.',
  },
  { name: 'forcemods', sets: 'force', kind: 'list', about: 'Kernel modules loaded first, wanted by a device or not.' },
  {
    name: 'udevtimeout',
    aliases: ['mindi.wait'],
    sets: 'wait',
    kind: 'seconds',
    about: 'Longest time to wait for devices that are slow to appear.',
  },
];

export interface BootParameters {
  /** null: the command line names none, the medium's default holds. */
  mode: RestoreMode | null;
  keymap: string | null;
  ip: string | null;
  /** Whether the medium shall be read and compared. */
  check: boolean;
  /** Path on a file system that is not known yet. */
  iso: string | null;
  /** As written. */
  bootif: string | null;
  server: string | null;
  stage2: string | null;
  /** Modules never loaded, and modules loaded first, as written. */
  deny: string[];
  force: string[];
  /** Seconds; null when not given. */
  wait: number | null;
  /** The second stage is copied to RAM. */
  toRam: boolean;
  dontEject: boolean;
  /** `module.parameter=value` by module (underscores), in order, as insmod takes them. */
  moduleOptions: Map<string, string[]>;
  /** Contradictions and mistakes, one sentence each. They never stop a boot. */
  problems: string[];
}

/** Of contradictory modes the one that can destroy least wins; interactive beats expert, as it always did. */
const SAFEST_FIRST: readonly RestoreMode[] = ['interactive', 'expert', 'compare', 'nuke'];

const BY_NAME = new Map(
  BOOT_PARAMETERS.flatMap((one) => [one.name, ...(one.aliases ?? [])].map((name) => [name, one])),
);

/** Reads /proc/cmdline. Any text gives an answer: what is wrong is told in `problems`. The last of several values holds. */
export function parseBootParameters(commandLine: string): BootParameters {
  const result: BootParameters = {
    mode: null,
    keymap: null,
    ip: null,
    check: false,
    iso: null,
    bootif: null,
    server: null,
    stage2: null,
    deny: [],
    force: [],
    wait: null,
    toRam: false,
    dontEject: false,
    moduleOptions: new Map(),
    problems: [],
  };
  const modes = new Set<RestoreMode>();
  for (const { name, value } of splitCommandLine(commandLine)) {
    const parameter = BY_NAME.get(name);
    if (!parameter) unknown(name, value, result);
    else if (parameter.sets === 'mode') addMode(parameter, name, value, modes, result.problems);
    else if (parameter.kind === 'flag') result[parameter.sets] = true;
    else setValue(parameter, name, value, result);
  }
  result.mode = chooseMode(modes, result.problems);
  return result;
}

/** Splits as the kernel does: blanks separate, double quotes hold together. */
export function splitCommandLine(commandLine: string): { name: string; value: string | null }[] {
  const words = commandLine.match(/(?:"[^"]*"?|[^\s"])+/g) ?? [];
  return words.map((word) => {
    const bare = word.replaceAll('"', '');
    const equals = bare.indexOf('=');
    if (equals <= 0) return { name: bare, value: null };
    return { name: bare.slice(0, equals), value: bare.slice(equals + 1) };
  });
}

function unknown(name: string, value: string | null, result: BootParameters): void {
  if (name.startsWith('mindi.')) {
    const known = [...BY_NAME.keys()].filter((one) => one.startsWith('mindi.'));
    result.problems.push(`The boot parameter ${name} is unknown; known are ${known.join(', ')}.`);
    return;
  }
  const [, module, option] = /^([\w-]+)\.(.+)$/.exec(name) ?? [];
  if (!module || !option) return;
  const key = module.replaceAll('-', '_');
  const options = result.moduleOptions.get(key) ?? [];
  result.moduleOptions.set(key, [...options, value === null ? option : `${option}=${value}`]);
}

function addMode(
  parameter: ModeParameter | NamedModeParameter,
  name: string,
  value: string | null,
  modes: Set<RestoreMode>,
  problems: string[],
): void {
  const mode = parameter.kind === 'flag' ? parameter.value : RESTORE_MODES.find((one) => one === value);
  if (mode) modes.add(mode);
  else problems.push(`The boot parameter ${name}=${value ?? ''} names no mode; there are ${RESTORE_MODES.join(', ')}.`);
}

function chooseMode(modes: ReadonlySet<RestoreMode>, problems: string[]): RestoreMode | null {
  const [mode] = SAFEST_FIRST.filter((one) => modes.has(one));
  if (modes.size > 1) {
    problems.push(`The boot parameters contradict each other (${[...modes].join(', ')}); ${mode} is taken.`);
  }
  return mode ?? null;
}

function setValue(parameter: ValueParameter, name: string, value: string | null, result: BootParameters): void {
  if (!value) {
    result.problems.push(`The boot parameter ${name} needs a value: ${name}=…`);
    return;
  }
  switch (parameter.sets) {
    case 'deny':
    case 'force':
      result[parameter.sets].push(...value.split(/[\s,]+/).filter(Boolean));
      return;
    case 'wait':
      setSeconds(name, value, result);
      return;
    default:
      result[parameter.sets] = value;
  }
}

function setSeconds(name: string, value: string, result: BootParameters): void {
  if (/^\d{1,5}$/.test(value)) result.wait = Number(value);
  else result.problems.push(`The boot parameter ${name}=${value} is not a number of seconds.`);
}
