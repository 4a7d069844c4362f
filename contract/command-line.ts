import { closest, distance } from 'fastest-levenshtein';
import { BOOT_PARAMETERS } from './boot-parameters.ts';
import { type BootParameters, FAILURE_ACTIONS } from './boot-request.ts';
import { macOf, NETWORK_WORDS, type NetworkWord, noSetting } from './network-setting.ts';
import { RESTORE_MODES, type RestoreMode } from './rescue-config.ts';

/** Fields of BootParameters whose value is of that type. */
type FieldOf<T> = { [K in keyof BootParameters]: T extends BootParameters[K] ? K : never }[keyof BootParameters];
type WordField = Exclude<FieldOf<string>, 'onFail' | 'source' | 'mode'>;

/** How a value is read. */
export type Reading =
  /** No value, or `=0`, `=off`, `=no`. */
  | { kind: 'flag'; sets: FieldOf<boolean> | 'ssh' | 'status' }
  | { kind: 'word'; sets: WordField }
  /** Words between commas or blanks. */
  | { kind: 'list'; sets: 'deny' | 'force' | 'excludeDevs' }
  /** May be there several times, each holds. */
  | { kind: 'repeated'; sets: 'console' | 'log' }
  | { kind: 'number'; sets: 'wait' | 'ping'; usual?: number }
  | { kind: 'mode'; mode: RestoreMode | null }
  | { kind: 'onFail' }
  /** Stands for an address of restore data; what is made of the value, which is empty when there is none. */
  | { kind: 'source'; address: (value: string) => string }
  /** A word of `NetworkSetting`'s grammar. */
  | { kind: 'network'; word: NetworkWord };

export type BootParameter = Reading & {
  /** As written on the command line, without `=`. */
  name: string;
  aliases?: readonly string[];
  /** What stands behind the name, for people: `=SERVER:/PATH`. */
  value?: string;
  /** One sentence or two for people. */
  about: string;
  /** The boot menu's help names it. */
  help?: true;
};

/** Of contradictory modes the one that can destroy least wins; interactive beats expert, as it always did. */
const SAFEST_FIRST: readonly RestoreMode[] = ['interactive', 'expert', 'compare', 'nuke'];
const OFF = /^(0|off|no|false)$/i;

const BY_NAME = new Map(
  BOOT_PARAMETERS.flatMap((one) => [one.name, ...(one.aliases ?? [])].map((name) => [name, one])),
);
const OURS = [...BY_NAME.keys()].filter((name) => name.startsWith('mindi.'));

/** Reads /proc/cmdline. Any text gives an answer: what is wrong is told in `problems`. The last of several values holds. */
export function parseBootParameters(commandLine: string): BootParameters {
  const result = nothingSaid();
  const seen: Seen = { modes: new Set(), sources: new Set(), switches: new Map() };
  for (const { name, value } of splitCommandLine(commandLine)) {
    const parameter = BY_NAME.get(name);
    if (parameter) read(parameter, name, value, result, seen);
    else unknown(name, value, result);
  }
  result.mode = chooseMode(seen.modes, result.problems);
  if (seen.sources.size > 1) {
    const list = [...seen.sources].map(withoutPassword).join(', ');
    result.problems.push(`The boot parameters name several sources of restore data (${list}); the last one is taken.`);
  }
  if (result.hwaddr !== null && macOf(result.hwaddr) === null) {
    result.problems.push(`The boot parameter hwaddr=${result.hwaddr} is no hardware address, as 52:54:00:12:34:56.`);
  }
  if (result.network.off && (result.network.ip.length > 0 || result.net)) {
    result.network.off = false;
    result.problems.push('The boot parameters ask for a network and for none; it is set up.');
  }
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

/** The URL without user, password and query, for people and logs. */
export function withoutPassword(url: string): string {
  return url.replace(/^([a-z0-9+.-]+:\/\/)[^/]*@/i, '$1').replace(/[?#].*$/s, '');
}

/** What contradicts itself is seen only at the end. */
interface Seen {
  modes: Set<RestoreMode>;
  sources: Set<string>;
  switches: Map<string, boolean>;
}

function nothingSaid(): BootParameters {
  return {
    mode: null,
    source: null,
    passwordFile: null,
    hostKey: null,
    isoFiles: false,
    prefix: null,
    network: noSetting(),
    net: false,
    hwaddr: null,
    bootif: null,
    ping: null,
    keymap: null,
    console: [],
    textOnly: false,
    ssh: null,
    status: null,
    log: [],
    onFail: null,
    pre: null,
    post: null,
    check: false,
    iso: null,
    server: null,
    stage2: null,
    deny: [],
    force: [],
    wait: null,
    toRam: false,
    dontEject: false,
    excludeDevs: [],
    noLvm: false,
    noPart: false,
    noResize: false,
    noHw: false,
    moduleOptions: new Map(),
    problems: [],
  };
}

function read(parameter: BootParameter, name: string, value: string | null, result: BootParameters, seen: Seen): void {
  const { problems } = result;
  const needsNone = ['flag', 'source'].includes(parameter.kind) || (parameter.kind === 'mode' && parameter.mode);
  const hasUsual = parameter.kind === 'number' && parameter.usual !== undefined;
  if (!value && !needsNone && !hasUsual) {
    problems.push(`The boot parameter ${name} needs a value: ${name}=…`);
    return;
  }
  const text = value ?? '';
  switch (parameter.kind) {
    case 'flag':
      setSwitch(parameter.sets, name, text, result, seen);
      return;
    case 'word':
      result[parameter.sets] = text;
      return;
    case 'list':
      result[parameter.sets].push(...text.split(/[\s,|]+/).filter(Boolean));
      return;
    case 'repeated':
      result[parameter.sets].push(text);
      return;
    case 'number':
      if (/^\d{1,5}$/.test(text)) result[parameter.sets] = Number(text);
      else if (hasUsual && text === '') result[parameter.sets] = parameter.usual ?? null;
      else problems.push(`The boot parameter ${name}=${text} is not a number${name === 'ping' ? '' : ' of seconds'}.`);
      return;
    case 'mode':
      addMode(parameter.mode, name, text, seen.modes, problems);
      return;
    case 'onFail':
      result.onFail = oneOf(FAILURE_ACTIONS, name, text, problems) ?? result.onFail;
      return;
    case 'source':
      addSource(parameter.address(text), name, result, seen);
      return;
    case 'network':
      addNetwork(parameter.word, name, text, result);
  }
}

function unknown(name: string, value: string | null, result: BootParameters): void {
  if (name.startsWith('mindi.')) {
    const near = closest(name, OURS);
    const hint = distance(name, near) <= 3 ? `; perhaps ${near} is meant` : '';
    result.problems.push(`The boot parameter ${name} is unknown${hint}.`);
    return;
  }
  const [, module, option] = /^([\w-]+)\.(.+)$/.exec(name) ?? [];
  if (!module || !option) return;
  const key = module.replaceAll('-', '_');
  const options = result.moduleOptions.get(key) ?? [];
  result.moduleOptions.set(key, [...options, value === null ? option : `${option}=${value}`]);
}

function setSwitch(
  field: (BootParameter & { kind: 'flag' })['sets'],
  name: string,
  text: string,
  result: BootParameters,
  { switches }: Seen,
): void {
  const on = !OFF.test(text);
  const before = switches.get(field);
  if (before !== undefined && before !== on)
    result.problems.push(`The boot parameters switch ${name} on and off; the last one is taken: ${on ? 'on' : 'off'}.`);
  switches.set(field, on);
  result[field] = on;
}

function addMode(
  named: RestoreMode | null,
  name: string,
  text: string,
  modes: Set<RestoreMode>,
  problems: string[],
): void {
  const mode = named ?? oneOf(RESTORE_MODES, name, text, problems);
  if (mode) modes.add(mode);
}

function oneOf<T extends string>(values: readonly T[], name: string, text: string, problems: string[]): T | null {
  const value = values.find((one) => one === text);
  if (!value) problems.push(`The boot parameter ${name}=${text} is none of ${values.join(', ')}.`);
  return value ?? null;
}

function chooseMode(modes: ReadonlySet<RestoreMode>, problems: string[]): RestoreMode | null {
  const [mode] = SAFEST_FIRST.filter((one) => modes.has(one));
  if (modes.size > 1) {
    problems.push(`The boot parameters contradict each other (${[...modes].join(', ')}); ${mode} is taken.`);
  }
  return mode ?? null;
}

/** `nfs:SERVER:/PATH`, as mount has it, becomes a URL. */
function addSource(address: string, name: string, result: BootParameters, seen: Seen): void {
  const url = address.replace(/^nfs:(?!\/\/)(\[[^\]]*\]|[^:/[\]]+):\/*/, 'nfs://$1/');
  if (!URL.canParse(url) || url === 'nfs:') {
    result.problems.push(`The boot parameter ${name} has no address of restore data, as nfs://server/backup or usb: .`);
    return;
  }
  result.source = url;
  seen.sources.add(url);
}

function addNetwork(word: NetworkWord, name: string, text: string, { network, problems }: BootParameters): void {
  const wrong = NETWORK_WORDS[word](text, network);
  if (wrong !== null) problems.push(`The boot parameter ${name}=${text} is not used: ${wrong}.`);
}
