import { Command } from 'commander';
import type { Facts } from '../capture/machine.ts';
import type { Layout } from '../contract/layout/schema.ts';
import { answer, answerJson, talk } from './output.ts';

interface Options {
  read?: boolean;
  facts?: string;
  json?: boolean;
  schema?: boolean;
}

/** `mindi layout [FILE]`: the disks of this machine as data that people can edit. */
export function layoutCommand(): Command {
  return new Command('layout')
    .description('write down what is on the disks of this machine, with all it takes to make it again')
    .argument('[file]', 'where to write it, as YAML; comments of a layout that is there stay')
    .option('--read', 'read FILE, perhaps edited, and say what is wrong with it; nothing is written')
    .option('--json', 'print it as JSON')
    .option('--yaml', 'print it as YAML: what happens without FILE, too')
    .option(
      '--facts <facts>',
      'use what programs said on another machine, by `mindi layout --facts` of the rescue system',
    )
    .option('--schema', "print the layout's JSON Schema (draft 2020-12)")
    .addHelpText(
      'after',
      `
What cannot be said in a layout is told now and noted in it. Nothing is written to any disk. docs/layout.md has the words.

Exit status: 0 fine, 2 FILE is wrong.

Examples:
  mindi layout                        show it
  mindi layout /root/layout.yaml      write it, or bring the one that is there up to date
  mindi layout --read layout.yaml     is it right after editing?`,
    )
    .action(layout);
}

async function layout(file: string | undefined, options: Options & { yaml?: boolean }): Promise<void> {
  const { formatLayout } = await import('../contract/layout/file.ts');
  if (options.schema) return answerSchema();
  const found = options.read ? await read(file) : await capture(options.facts);
  if (file && !options.read) await write(file, found);
  if (options.json) answerJson(found);
  else if (options.yaml || !file || options.read) answer(formatLayout(found));
  for (const { device, note } of found.notes) talk(`mindi: note: ${device} ${note}`);
}

async function answerSchema(): Promise<void> {
  const { LayoutSchema } = await import('../contract/layout/schema.ts');
  const $schema = 'https://json-schema.org/draft/2020-12/schema';
  answerJson({ $schema, $id: 'urn:mindi:layout', title: 'layout of disks', ...LayoutSchema });
}

async function read(file: string | undefined): Promise<Layout> {
  const { MindiError } = await import('../contract/error.ts');
  const { readLayout } = await import('../contract/layout/file.ts');
  if (file) return readLayout(file);
  throw new MindiError('no file is named', {
    code: 'layout.no-file',
    hint: 'For example: mindi layout --read layout.yaml',
  });
}

async function capture(facts: string | undefined): Promise<Layout> {
  const { captureLayout } = await import('../capture/capture.ts');
  const { recorded } = await import('../capture/machine.ts');
  const { thisMachine } = await import('../builder/this-machine.ts');
  const { hostname } = await import('node:os');
  return facts ? captureLayout(recorded(await readFacts(facts)), null) : captureLayout(thisMachine, hostname());
}

async function readFacts(file: string): Promise<Facts> {
  const { readFile } = await import('node:fs/promises');
  const { MindiError, messageOf } = await import('../contract/error.ts');
  const hint = '`mindi layout --facts` of the rescue system writes such a file.';
  try {
    const { programs, files } = JSON.parse(await readFile(file, 'utf8'));
    if (typeof programs === 'object' && programs && typeof files === 'object' && files) return { programs, files };
    throw new Error('it has no programs and files');
  } catch (error) {
    throw new MindiError(`these facts cannot be read: ${messageOf(error)}`, {
      code: 'layout.facts',
      where: file,
      hint,
    });
  }
}

/** A layout that is there keeps its comments; what is none is left alone. */
async function write(file: string, layout: Layout): Promise<void> {
  const { readFile, stat, writeFile } = await import('node:fs/promises');
  const { writeBeside } = await import('../builder/cache.ts');
  const { formatLayout, readLayout } = await import('../contract/layout/file.ts');
  const exists = (await stat(file).catch(() => null)) !== null;
  if (exists) await readLayout(file);
  const text = formatLayout(layout, exists ? await readFile(file, 'utf8') : undefined);
  await writeBeside(file, (temporary) => writeFile(temporary, text));
}
