import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseBootParameters } from '../../contract/command-line.ts';
import { READY_PREFIX, type ReadyReport } from '../../contract/report.ts';
import { PATHS } from '../../contract/rescue-config.ts';
import { list } from '../devices.ts';
import { networkLines } from '../network/state.ts';
import { busybox, run } from '../process.ts';
import { STICK_COPIES } from '../stick/folder.ts';
import { lookAtStorage } from '../storage/bring-up.ts';
import { storageTree } from '../storage/tree.ts';
import { scrub, scrubValue, secretsIn } from './scrub.ts';

/** Characters of one part; of a longer one the end is taken. */
const MOST = 2 << 20;
/** What the firmware, the kernel or process 1 left behind. */
const LOGS = '/var/log';

/** A file of the report. */
export interface Part {
  name: string;
  text: string;
}

/** Every file of the report and where its text comes from. */
const PARTS: readonly { name: string; text: () => string | Promise<string> }[] = [
  { name: 'ready.json', text: () => JSON.stringify(readyReport(), null, 1) },
  { name: 'dmesg.txt', text: () => output('dmesg') },
  { name: 'hardware.json', text: async () => (await run('/usr/sbin/mindi-probe', [])).stdout },
  { name: 'command-line.txt', text: commandLine },
  { name: 'config.json', text: config },
  { name: 'mountlist.txt', text: () => read(PATHS.mountlist) },
  { name: 'network.txt', text: network },
  { name: 'storage.txt', text: storage },
  { name: 'system.txt', text: system },
];

/** All of them, without secrets. What cannot be had says why. */
export async function reportParts(): Promise<Part[]> {
  const known = knownSecrets();
  const parts: Part[] = list(LOGS).map((name) => ({ name, text: clean(read(join(LOGS, name)), known) }));
  for (const { name, text } of PARTS) {
    const said = await Promise.resolve(text()).catch((error: Error) => `This could not be had: ${error.message}\n`);
    parts.push({ name, text: clean(said, known) });
  }
  return parts.filter(({ text }) => text !== '');
}

/** The ready report as the log has it; null when the boot did not come so far. */
export function readyReport(): ReadyReport | null {
  const line = read(PATHS.log)
    .split('\n')
    .findLast((one) => one.includes(READY_PREFIX));
  if (!line) return null;
  try {
    return JSON.parse(line.slice(line.indexOf(READY_PREFIX) + READY_PREFIX.length)) as ReadyReport;
  } catch {
    return null;
  }
}

/** Those of the profile, of all sticks (what a later one says hides what an earlier one did) and of the command line. */
export function knownSecrets(): string[] {
  const passwordFile = read(PATHS.password).split('\n')[0] ?? '';
  const sticks = list(STICK_COPIES).map((name) => read(join(STICK_COPIES, name, 'config.yaml')));
  return secretsIn([configs(), ...sticks, read('/proc/cmdline'), { password: passwordFile }]);
}

const clean = (text: string, known: readonly string[]) => scrub(text.slice(-MOST), known);

/** By the names of its fields, which a text of it would not show as well. */
function config(): string {
  return `${JSON.stringify(scrubValue(configs()), null, 1)}\n`;
}

function configs(): unknown[] {
  return [PATHS.config, PATHS.effectiveConfig].filter((path) => existsSync(path)).map((path) => JSON.parse(read(path)));
}

function commandLine(): string {
  const text = read('/proc/cmdline');
  return [text.trim(), ...parseBootParameters(text).problems, ''].join('\n');
}

async function network(): Promise<string> {
  const outputs = [await output('ip', 'address'), await output('ip', 'route'), await output('ip', '-6', 'route')];
  return [...networkLines(), ...outputs, read('/etc/resolv.conf')].join('\n');
}

async function storage(): Promise<string> {
  const { devices, silent } = await lookAtStorage([]);
  const lines = [...storageTree(devices), ...silent.map((device) => `${device} does not answer`)];
  return [...lines, files('/proc/partitions', '/proc/mdstat', '/proc/mounts', '/run/mindi/writable')].join('\n');
}

async function system(): Promise<string> {
  const state = list('/run/mindi').filter((name) =>
    ['missing', 'requests', 'untrusted', 'failing', 'failed', 'stderr'].includes(name),
  );
  const texts = files(
    '/proc/version',
    '/proc/meminfo',
    '/proc/modules',
    '/proc/interrupts',
    ...state.map((name) => `/run/mindi/${name}`),
  );
  return [texts, await output('ps', '-o', 'pid,ppid,stat,vsz,rss,args'), await output('df', '-h')].join('\n');
}

/** Texts below their names. */
function files(...paths: string[]): string {
  return paths.map((path) => `== ${path}\n${read(path)}`).join('\n');
}

async function output(...words: string[]): Promise<string> {
  const { stdout, stderr } = await busybox(words, { limit: 20 });
  return `== ${words.join(' ')}\n${stdout}${stderr}`;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
