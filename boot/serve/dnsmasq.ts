import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { log } from '../../builder/log.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { MindiError } from '../../contract/error.ts';
import { render } from '../menu.ts';
import type { firstFiles } from '../netboot.ts';
import type { Place } from './place.ts';

const PROGRAM = 'dnsmasq';
/** What it says when it listens. */
const STARTED = /^started,/;
/** What it was compiled with, and that we stop it, is no news. */
const NO_NEWS = /^(compile time options|exiting on receipt)/;
export interface DnsmasqOptions {
  /** Absolute. */
  folder: string;
  place: Place;
  /** `FIRST,LAST` of the addresses to give; null: beside another DHCP server, which gives them. */
  range: string | null;
  /** The folder by HTTP. */
  url: string;
  first: ReturnType<typeof firstFiles>;
  log: (line: string) => void;
}

export interface Dnsmasq {
  /** Resolves when it has ended, by itself or by `stop`. */
  ended: Promise<void>;
  stop(): Promise<void>;
}

/**
 * Runs dnsmasq as DHCP (or proxy-DHCP) and TFTP server of one network card, with a configuration of its own.
 * @throws MindiError `tool.missing` without dnsmasq, `serve.dnsmasq` with its own words when it does not start
 */
export async function startDnsmasq(options: DnsmasqOptions): Promise<Dnsmasq> {
  const work = await scratch('serve');
  try {
    return await start(options, work);
  } catch (error) {
    await work[Symbol.asyncDispose]();
    throw error;
  }
}

async function start({ folder, place, range, url, first, log: tell }: DnsmasqOptions, work: Scratch): Promise<Dnsmasq> {
  const config = join(work.path, 'dnsmasq.conf');
  await writeFile(config, await render('netboot/dnsmasq.conf', { folder, range, url, first, ...place }));
  // In the foreground, with its log and its leases here.
  const args = [`--conf-file=${config}`, '--keep-in-foreground', '--log-facility=-', '--leasefile-ro', '--pid-file='];
  log(`start ${JSON.stringify([PROGRAM, ...args])}`);
  const child = execa(PROGRAM, args, {
    reject: false,
    buffer: false,
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
  });
  const said: string[] = [];
  const started = Promise.withResolvers<boolean>();
  createInterface({ input: child.stderr }).on('line', (line) => {
    log(`  | ${line}`);
    const text = line.replace(/^(dnsmasq[\w-]*(\[\d+\])?: )/, '');
    said.push(text);
    if (STARTED.test(text)) started.resolve(true);
    else if (!NO_NEWS.test(text)) tell(text.trim());
  });
  child.then(() => started.resolve(false));
  if (!(await started.promise)) throw problem(await child, said);
  const ended = child.then(() => work[Symbol.asyncDispose]());
  const stop = () => {
    child.kill();
    return ended;
  };
  return { ended, stop };
}

function problem({ cause }: { cause?: unknown }, said: readonly string[]): MindiError {
  if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
    return new MindiError(`the program ${PROGRAM} is not installed`, {
      code: 'tool.missing',
      hint: 'Install the package dnsmasq-base (Fedora and others: dnsmasq), or serve with --http-only.',
    });
  }
  return new MindiError(`dnsmasq did not start: ${said.at(-1) ?? String(cause)}`, {
    code: 'serve.dnsmasq',
    hint: 'Is another DHCP or TFTP server running on this machine? `ss -ulpn` shows it.',
  });
}
