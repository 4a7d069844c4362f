import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import type { Volume } from '../../contract/volume.ts';
import type { Context } from '../boot.ts';
import { Unanswered } from '../person.ts';
import { capital } from '../sources/files.ts';
import { findSources, openSource, SOURCES } from '../sources/index.ts';
import { leaveSource } from '../sources/places.ts';
import { type OpenSource, SourceError } from '../sources/source.ts';
import { commandContext } from './context.ts';
import type { Command } from './index.ts';

/** The source stays open, for other programs, after the command has ended. */
export const source: Command = {
  name: 'source',
  about: 'list the sources of restore data that are found, or open one',
  run: runSource,
};

const HELP = `mindi source                      lists the sources that are found by themselves
mindi source ADDRESS              opens one and tells where its data are
  --volume NUMBER                 then gets that volume of the set
  --read NAME                     writes that file of it to standard output
  --json                          tells it as JSON
mindi source --close              lets the open one go, so that its medium can be taken out

${SOURCES.map(({ schemes, about }) => `${schemes.map((one) => `${one}:`).join(' ')}  ${about}`).join('\n')}
`;

const OPTIONS = {
  volume: { type: 'string' },
  read: { type: 'string' },
  json: { type: 'boolean' },
  close: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

/** What the words ask for. */
interface Call {
  address?: string;
  volume?: number;
  read?: string;
  json?: boolean;
  close?: boolean;
  help?: boolean;
}

async function runSource(words: readonly string[]): Promise<number> {
  const call = parse(words);
  if (typeof call === 'string') {
    process.stderr.write(`mindi source: ${call}\n${HELP}`);
    return 2;
  }
  if (call.help) process.stdout.write(HELP);
  else if (call.close) await leaveSource();
  else return withContext((context) => (call.address ? use(call.address, call, context) : listSources(call, context)));
  return 0;
}

/** A string says what is wrong with the call. */
function parse(words: readonly string[]): Call | string {
  try {
    const { values, positionals } = parseArgs({ args: [...words], options: OPTIONS, allowPositionals: true });
    const { volume, ...rest } = values;
    const [address, ...more] = positionals;
    if (more.length > 0) return 'it opens one address';
    if (volume !== undefined && !/^[1-9]\d{0,5}$/.test(volume)) return `"${volume}" is not the number of a volume`;
    return { ...rest, ...(address && { address }), ...(volume && { volume: Number(volume) }) };
  } catch (error) {
    return (error as Error).message;
  }
}

/** Failures that are answers are told; returns the exit code. */
async function withContext(work: (context: Context) => Promise<number>): Promise<number> {
  const context = commandContext();
  try {
    return await work(context);
  } catch (error) {
    if (!(error instanceof SourceError || error instanceof Unanswered || isClosedPipe(error))) throw error;
    process.stderr.write(`${error.message}\n${error instanceof SourceError ? `${error.hint}\n` : ''}`);
    return 1;
  } finally {
    context.modules.rest();
  }
}

/** Whoever reads the data has enough of them. */
const isClosedPipe = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && error.code === 'EPIPE';

async function listSources({ json }: Call, context: Context): Promise<number> {
  const found = await findSources(context);
  process.stdout.write(json ? `${JSON.stringify(found)}\n` : found.map((address) => `${address}\n`).join(''));
  return found.length > 0 ? 0 : 1;
}

async function use(address: string, { volume, read, json }: Call, context: Context): Promise<number> {
  const opened = await openSource(address, context);
  if (volume !== undefined) await change(opened, volume);
  if (read !== undefined) {
    await pipeline(await opened.read(read), process.stdout);
    return 0;
  }
  const volumes = await opened.volumes();
  const { name, path } = opened;
  process.stdout.write(json ? `${JSON.stringify({ name, path, volumes })}\n` : describe(opened, volumes));
  return 0;
}

async function change(opened: OpenSource, volume: number): Promise<void> {
  if (opened.next) return opened.next(volume);
  throw new SourceError(`${capital(opened.name)} has no other volumes.`, 'Leave out --volume, or open the set.');
}

function describe({ name, path }: OpenSource, volumes: readonly Volume[]): string {
  const lines = volumes.map(
    ({ number, of, machine, created }) => `volume ${number}${of === null ? '' : ` of ${of}`} of ${machine}, ${created}`,
  );
  return [path === null ? name : `${name}: ${path}`, ...lines, ''].join('\n');
}
