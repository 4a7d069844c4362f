import type { ReadyReport } from '../contract/report.ts';
import type { RescueConfig } from '../contract/rescue-config.ts';
import { storageLines } from '../contract/storage.ts';
import { missingLines } from './missing-file.ts';
import { sizeText } from './size-text.ts';

/** At most so many lines for one kind of thing: everything fits a screen of 25 lines. */
const MOST = 3;

const MODE_TEXT: Record<string, string[]> = {
  interactive: ['Interactive mode. This version does not restore yet: it will ask nothing and write nothing.'],
  expert: ['Expert mode: nothing was started, nothing is written unless you do it.'],
  compare: ['Compare mode. This version does not compare yet: nothing was read and nothing is written.'],
  nuke: ['Nuke mode. This version does not restore yet: the disks are left as they are.'],
};

/** The first screen for people: what this medium is, what was found, what is missing, and what can be done now. */
export function firstScreen(report: ReadyReport, config: RescueConfig): string {
  const missing = missingLines(report);
  const rows: [string, string[]][] = [
    ['Medium', [report.medium ? checked(report.medium, report.trusted) : noMedium(config)]],
    ['Firmware', report.secureBoot ? ['Secure Boot is on: the kernel takes signed modules only'] : []],
    ['Check', report.check?.sentences ?? []],
    ['Disks', report.disks.map((disk) => words(disk.name, sizeText(disk.bytes), disk.model, driver(disk.driver)))],
    ['Storage', storageLines(report.storage)],
    [
      'Network',
      report.nics.map((nic) => words(nic.name, nic.mac, driver(nic.driver), nic.link ? 'cable in' : 'no cable')),
    ],
    ['Tapes', report.tapes.map((tape) => words(tape.name, tape.model))],
    ['Missing', missing],
    ['Problems', report.problems],
  ];
  const always = new Set(['Medium', 'Disks', 'Network']);
  const shown = rows.filter(([name, lines]) => lines.length > 0 || always.has(name));
  return [
    '',
    `mindi rescue medium "${report.name}", ${origin(config)}`,
    `Linux ${report.kernel}, ${report.runtime}, ${report.memory.total} MiB of memory (${report.memory.available} free), up in ${report.seconds.toFixed(1)} s`,
    ...shown.flatMap(([name, lines]) => section(name, lines)),
    ...(MODE_TEXT[report.mode] ?? []),
    ...(missing.length > 0 ? ["'mindi-missing' lists what is missing, now or when it is asked for later."] : []),
    "This is a shell. Type 'exit' to restart the machine, 'poweroff' to switch it off. Log: /var/log/mindi.log",
    '',
  ].join('\n');
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
