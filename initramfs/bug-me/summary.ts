import encodeQR from 'qr';
import type { ReadyReport } from '../../contract/report.ts';
import type { RescueConfig } from '../../contract/rescue-config.ts';
import { missingLines } from '../missing-file.ts';
import { wrap } from '../screen/layout.ts';
import { sizeText } from '../size-text.ts';

/** A code of at most 41 modules and its margin, two of them in a line: 23 lines, which leaves one for the prompt. */
const MARGIN = 2;
/** Characters of QR's own alphabet that the biggest of these holds (version 6, level L). */
const MOST = 195;
const OTHERS = /[^0-9A-Z $%*+\-./:]/g;
/** Columns beside the code. */
const BESIDE = 79 - (41 + 2 * MARGIN) - 1;
/** A half of a line is light, or both are. */
const BLOCKS = { '00': ' ', '01': '▄', '10': '▀', '11': '█' } as const;
/** White on black whatever the terminal's colours are. */
const COLOURS = ['\x1b[1;37;40m', '\x1b[0m'] as const;

/** What somebody far away asks first, the most telling first: a code holds only the beginning. */
export function summaryLines(
  { name, generator, machine, created }: Pick<RescueConfig, 'name' | 'generator' | 'machine' | 'created'>,
  report: ReadyReport | null,
): string[] {
  const medium = `${generator} ${name} made ${created.slice(0, 10)}${machine ? ` for ${machine}` : ''}`;
  if (!report) return [medium, 'The boot did not come to its end: the log says where it stopped.'];
  const { problems } = report;
  return [
    medium,
    `Linux ${report.kernel} ${report.mode} ${report.memory.available}/${report.memory.total} MiB`,
    `medium ${report.medium ?? 'NOT FOUND'}${report.trusted === false ? ' NOT TRUSTED' : ''}`,
    ...(report.source?.failure ? [`source: ${report.source.failure}`] : []),
    ...missingLines(report).map((line) => `missing: ${line}`),
    ...problems.map((sentence) => `problem: ${sentence}`),
    `disks ${report.disks.map((disk) => `${disk.name} ${sizeText(disk.bytes)} ${disk.driver}`).join(', ') || 'none'}`,
    `network ${report.nics.map((nic) => [nic.name, nic.driver, ...nic.addresses].join(' ')).join(', ') || 'none'}`,
  ];
}

/** As much of it as a code on a screen of 25 lines holds, in the letters QR has a short form for. */
export function qrText(lines: readonly string[]): string {
  return lines.join(' / ').toUpperCase().replaceAll(OTHERS, ' ').replaceAll(/ +/g, ' ').slice(0, MOST).trim();
}

/** The lines of a QR code, in blocks that the console's font has. */
export function qrLines(text: string): string[] {
  const modules = encodeQR(text, 'raw', { ecc: 'low', encoding: 'alphanumeric', border: MARGIN });
  const light = (row: number, column: number) => (modules[row]?.[column] === false ? '1' : '0');
  const rows = Array.from({ length: Math.ceil(modules.length / 2) }, (_, i) => 2 * i);
  return rows.map((row) =>
    Array.from(
      { length: modules.length },
      (_, column) => BLOCKS[`${light(row, column)}${light(row + 1, column)}`],
    ).join(''),
  );
}

/** The code, and beside it as much of the summary as fits: 23 lines of at most 79 columns. */
export function summaryPage(lines: readonly string[]): string {
  const code = qrLines(qrText(lines));
  const beside = lines.flatMap((line) => wrap(line, BESIDE, '  '));
  return code.map((row, i) => `${COLOURS[0]}${row}${COLOURS[1]} ${beside[i] ?? ''}\n`).join('');
}
