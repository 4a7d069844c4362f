import { Command, Option } from 'commander';
import type { Layout } from '../contract/layout/schema.ts';
import { answer, answerJson, talk } from './output.ts';

interface Options {
  read?: boolean;
  facts?: string;
  import?: string;
  raidtab?: string;
  lvm?: string;
  as?: keyof typeof FORMS;
  yaml?: boolean;
  json?: boolean;
  schema?: boolean;
}

/** Files of MondoRescue. */
const FORMS = {
  mountlist: async (layout: Layout) => {
    const { mountlistOfLayout } = await import('../contract/layout/import/mountlist.ts');
    const { formatMountlist } = await import('../contract/mountlist-file.ts');
    return formatMountlist(mountlistOfLayout(layout));
  },
  raidtab: async (layout: Layout) => (await import('../contract/layout/import/raidtab.ts')).formatRaidtab(layout),
  'i-want-my-lvm': async (layout: Layout) =>
    (await import('../contract/layout/import/lvm-script.ts')).formatLvmScript(layout),
};

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
    .option('--import <old>', 'take it from a mountlist, or from disklayout.conf of Relax-and-Recover')
    .option('--raidtab <raidtab>', 'with --import MOUNTLIST: the arrays')
    .option('--lvm <script>', 'with --import MOUNTLIST: the volumes, an i-want-my-lvm of MondoRescue')
    .addOption(new Option('--as <form>', 'print what programs of old read').choices(Object.keys(FORMS)))
    .option('--schema', "print the layout's JSON Schema (draft 2020-12)")
    .addHelpText(
      'after',
      `
What cannot be said in a layout is told now and noted in it. Nothing is written to any disk. docs/layout.md has the words.

Exit status: 0 fine, 2 FILE is wrong.

Examples:
  mindi layout                        show it
  mindi layout /root/layout.yaml      write it, or bring the one that is there up to date
  mindi layout --read layout.yaml     is it right after editing?
  mindi layout new.yaml --import /var/lib/rear/layout/disklayout.conf
                                      take over what Relax-and-Recover wrote`,
    )
    .action(layout);
}

async function layout(file: string | undefined, options: Options): Promise<void> {
  const { formatLayout } = await import('../contract/layout/file.ts');
  if (options.schema) return answerSchema();
  const found = options.read
    ? await read(file)
    : await (options.import ? importFile(options.import, options) : capture(options.facts));
  if (file && !options.read) await write(file, found);
  if (options.json) answerJson(found);
  else if (options.as) answer(await FORMS[options.as](found));
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
  const { readFacts } = await import('../builder/this-machine.ts');
  return facts ? captureLayout(recorded(await readFacts(facts)), null) : captureLayout(thisMachine, hostname());
}

async function importFile(file: string, { raidtab, lvm }: Options): Promise<Layout> {
  const { readText } = await import('../contract/settings/text.ts');
  const { layoutOfMountlist } = await import('../contract/layout/import/mountlist.ts');
  const { layoutOfRear } = await import('../contract/layout/import/rear.ts');
  const { parseLvmScript } = await import('../contract/layout/import/lvm-script.ts');
  const { parseRaidtab } = await import('../contract/layout/import/raidtab.ts');
  const { parseMountlist } = await import('../contract/mountlist-file.ts');
  const text = await readText(file, 'layout');
  // Lines of a mountlist begin with a device, those of ReaR with a keyword.
  if (/^(?:disk|part|multipath|lvmgrp|fs|swap) /m.test(text)) return layoutOfRear(text, file);
  return layoutOfMountlist(parseMountlist(text, file), {
    ...(raidtab ? { raidtab: parseRaidtab(await readText(raidtab, 'layout'), raidtab) } : {}),
    ...(lvm ? { lvm: parseLvmScript(await readText(lvm, 'layout'), lvm) } : {}),
  });
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
