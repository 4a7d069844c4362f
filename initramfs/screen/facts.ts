import { isIPv6 } from 'node:net';
import type { ReadyReport } from '../../contract/report.ts';
import type { RescueConfig } from '../../contract/rescue-config.ts';
import { storageLines } from '../../contract/storage.ts';
import { missingLines } from '../missing-file.ts';
import { sshText } from '../remote/ssh.ts';
import { sizeText } from '../size-text.ts';
import { clip } from './layout.ts';

/** At most so many lines for one kind of thing: everything fits a screen of 25 lines. */
const MOST = 3;

/** What the rescue system knows beside its report. */
export interface Known {
  config: RescueConfig;
  /** The address of the open restore source, else what is said about it. */
  source: string;
}

/** What a line or more say of one kind of thing. */
export type Row = [name: string, lines: string[]];

/** The screen above a shell: what this medium is, what was found, what is missing, and what can be done now. */
export function firstScreen(report: ReadyReport, known: Known): string {
  const missing = missingLines(report);
  return [
    '',
    title(known.config),
    running(report),
    ...facts(report, known).flatMap(([name, lines]) => section(name, lines)),
    'Expert mode: nothing was started, nothing is written unless you do it.',
    ...(missing.length > 0 ? ["'mindi-missing' lists what is missing, now or when it is asked for later."] : []),
    "This is a shell. Type 'mindi menu' for the menu, 'exit' to restart, 'poweroff' to switch off.",
    '',
  ].join('\n');
}

/** The same above the menu, a line for each kind of thing. */
export function summary(report: ReadyReport, known: Known): string[] {
  return [running(report), ...facts(report, known).map(([name, lines]) => oneLine(name, lines))].map((line) =>
    clip(line),
  );
}

export function title(config: RescueConfig): string {
  return `mindi rescue medium "${config.name}", ${origin(config)}`;
}

export function running(report: ReadyReport): string {
  const { total, available } = report.memory;
  return `Linux ${report.kernel}, ${report.runtime}, ${total} MiB of memory (${available} free), up in ${report.seconds.toFixed(1)} s`;
}

/** Everything the first screen tells, but what can be done now. */
export function facts(report: ReadyReport, { config, source }: Known): Row[] {
  const all: Row[] = [
    ['Medium', [report.medium ? checked(report.medium, report.trusted) : noMedium(config)]],
    ['Firmware', report.secureBoot ? ['Secure Boot is on: the kernel takes signed modules only'] : []],
    ['Check', report.check?.sentences ?? []],
    ['Disks', report.disks.map((disk) => words(disk.name, sizeText(disk.bytes), disk.model, driver(disk.driver)))],
    ['Storage', storageLines(report.storage)],
    [
      'Network',
      report.nics.map((nic) =>
        words(nic.name, nic.mac, driver(nic.driver), nic.link ? 'cable in' : 'no cable', nic.addresses.join(', ')),
      ),
    ],
    ['SSH', report.ssh ? [sshText(report.ssh)] : []],
    ['Page', report.statusPage ? pageAddresses(report) : []],
    ['Tapes', report.tapes.map((tape) => words(tape.name, tape.model))],
    ['Stick', report.sticks.map(({ device, files }) => words(device, files.join(', ')))],
    ['Source', [source]],
    ['Missing', missingLines(report)],
    ['Problems', report.problems],
  ];
  const always = new Set(['Disks', 'Network']);
  return all.filter(([name, lines]) => lines.length > 0 || always.has(name));
}

/** Where the status page is, address by address. */
function pageAddresses({ nics }: ReadyReport): string[] {
  const addresses = nics.flatMap((nic) => nic.addresses.map((address) => address.replace(/\/\d+$/, '')));
  return addresses.length > 0
    ? addresses.map((address) => `http://${isIPv6(address) ? `[${address}]` : address}/`)
    : ['over HTTP, as soon as there is an address'];
}

function oneLine(name: string, [first = 'none found', ...others]: readonly string[]): string {
  const more = others.length > 0 ? ` (and ${others.length} more)` : '';
  return `${name.padEnd(10)}${clip(first, 69 - more.length)}${more}`;
}

function origin(config: RescueConfig): string {
  const day = config.created.slice(0, 10);
  return `made ${day}${config.machine ? ` for ${config.machine}` : ''} (${config.generator})`;
}

function checked(medium: string, trusted: boolean | null): string {
  const what =
    medium === 'ram' ? 'in RAM, checked; the disc or stick can be taken out' : `${medium}, second stage checked`;
  return `${what}${trusted ? ', signature verified' : ''}`;
}

function noMedium(config: RescueConfig): string {
  return config.stage2 ? 'NOT FOUND, only the first stage is here' : 'the boot image is all';
}

function section(name: string, lines: readonly string[]): string[] {
  const some = lines.length > 0 ? lines : ['none found'];
  const most = some.slice(0, MOST);
  if (some.length > MOST) most.push(`and ${some.length - MOST} more, see /var/log/mindi.log`);
  return most.map((line, i) => `  ${(i === 0 ? name : '').padEnd(10)}${line}`);
}

function words(...parts: string[]): string {
  return parts.filter(Boolean).join('  ');
}

function driver(name: string): string {
  return name && `(${name})`;
}
