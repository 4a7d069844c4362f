import { readFileSync } from 'node:fs';
import { parseBootParameters } from '../../contract/command-line.ts';
import { reason } from '../reasons.ts';
import { cleanLog, sendNew } from '../remote/follow-log.ts';
import { type LogReceiver, logReceiver } from '../remote/log-receiver.ts';
import { readRescueConfig } from '../rescue-config.ts';
import type { Command } from './index.ts';

/** Once; what follows is the init's. */
export const log: Command = {
  name: 'log',
  about: 'send the log to a web server (PUT) or a syslog server',
  run: runLog,
};

const HELP = `mindi log URL...   sends all of the log: http://SERVER/PATH, https://... (by PUT; what ends in / is a folder),
                   syslog://SERVER (UDP), syslog+tcp://SERVER[:PORT]
mindi log          sends what is left of it to where the boot parameter mindi.log says
`;

async function runLog(words: readonly string[]): Promise<number> {
  if (words.includes('--help')) {
    process.stdout.write(HELP);
    return 0;
  }
  const told = parseBootParameters(readFileSync('/proc/cmdline', 'utf8')).log;
  const addresses = words.length > 0 ? words : told;
  const { name } = readRescueConfig([]);
  const receivers = addresses.flatMap((address) => logReceiver(address, name) ?? []);
  if (receivers.length === 0 || receivers.length < words.length) {
    process.stderr.write(`mindi log: ${words.join(' ') || 'nothing'} is no address of a log server.\n${HELP}`);
    return 2;
  }
  const sent = receivers.map((receiver) => tell(receiver, words.length > 0 ? sendAll : sendNew));
  return (await Promise.all(sent)).every(Boolean) ? 0 : 1;
}

const sendAll = (receiver: LogReceiver) => receiver.send(cleanLog());

/** Returns whether it worked. */
async function tell(receiver: LogReceiver, send: (receiver: LogReceiver) => Promise<unknown>): Promise<boolean> {
  try {
    await send(receiver);
    process.stdout.write(`The log was sent to ${receiver.name}.\n`);
    return true;
  } catch (error) {
    process.stderr.write(`The log cannot be sent to ${receiver.name}: ${reason(error as Error)}.\n`);
    return false;
  }
}
