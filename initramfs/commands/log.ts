import { readFileSync } from 'node:fs';
import { parseBootParameters } from '../../contract/command-line.ts';
import { reason } from '../reasons.ts';
import { readFrom, sendNew } from '../remote/follow-log.ts';
import { logReceiver } from '../remote/log-receiver.ts';
import { readRescueConfig } from '../rescue-config.ts';
import type { Command } from './index.ts';

/** Once; what follows is the init's. */
export const log: Command = {
  name: 'log',
  about: 'send the log to a web server (PUT) or a syslog server',
  run: runLog,
};

const HELP = `mindi log URL      sends all of the log: http://SERVER/PATH, https://... (by PUT; what ends in / is a folder),
                   syslog://SERVER (UDP), syslog+tcp://SERVER[:PORT]
mindi log          sends what is left of it to where the boot parameter mindi.log says
`;

async function runLog(words: readonly string[]): Promise<number> {
  const told = parseBootParameters(readFileSync('/proc/cmdline', 'utf8')).log;
  const [address = told, ...more] = words;
  const receiver = address && more.length === 0 ? logReceiver(address, readRescueConfig([]).name) : null;
  if (words.includes('--help') || !receiver) {
    if (words.includes('--help')) process.stdout.write(HELP);
    else process.stderr.write(`mindi log: ${words.join(' ') || 'nothing'} is no address of a log server.\n${HELP}`);
    return words.includes('--help') ? 0 : 2;
  }
  try {
    await (words.length > 0 ? receiver.send(readFrom(0)) : sendNew(receiver));
    process.stdout.write(`The log was sent to ${receiver.name}.\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`The log cannot be sent to ${receiver.name}: ${reason(error as Error)}.\n`);
    return 1;
  }
}
