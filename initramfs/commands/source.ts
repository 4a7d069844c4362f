import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import type { Context } from '../boot.ts';
import { Unanswered } from '../person.ts';
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
mindi source --close              lets the open one go, so that its medium can be taken out

${SOURCES.map(({ schemes, about }) => `${schemes.map((one) => `${one}:`).join(' ')}  ${about}`).join('\n')}
`;

const OPTIONS = {
  volume: { type: 'string' },
  read: { type: 'string' },
  close: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

async function runSource(words: readonly string[]): Promise<number> {
  const { values, positionals } = parse(words);
  if (values === null || values.help) {
    (values ? process.stdout : process.stderr).write(HELP);
    return values ? 0 : 2;
  }
  if (values.close) {
    await leaveSource();
    return 0;
  }
  const context = commandContext();
  try {
    const [address] = positionals;
    if (address === undefined) return await listSources(context);
    await use(await openSource(address, context), values);
    return 0;
  } catch (error) {
    if (!(error instanceof SourceError || error instanceof Unanswered)) throw error;
    process.stderr.write(`${error.message}\n${error instanceof SourceError ? `${error.hint}\n` : ''}`);
    return 1;
  } finally {
    context.modules.rest();
  }
}

/** Values are null when the call is wrong. */
function parse(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    process.stderr.write(`mindi source: ${(error as Error).message}\n`);
    return { values: null, positionals: [] };
  }
}

async function listSources(context: Context): Promise<number> {
  const found = await findSources(context);
  process.stdout.write(found.map((address) => `${address}\n`).join(''));
  return found.length > 0 ? 0 : 1;
}

async function use(opened: OpenSource, { volume, read }: { volume?: string; read?: string }): Promise<void> {
  if (volume !== undefined) await opened.next?.(Number(volume));
  if (read !== undefined) return pipeline(await opened.read(read), process.stdout);
  const volumes = await opened.volumes();
  process.stdout.write(`${JSON.stringify({ name: opened.name, path: opened.path, volumes })}\n`);
}
