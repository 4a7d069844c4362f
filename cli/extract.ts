import { resolve } from 'node:path';
import { Command } from 'commander';
import { type KeyOptions, keysOf, placeOptions, withKeys } from './keys.ts';
import { answer, answerJson, SET_ARGUMENT, size, talk } from './output.ts';
import { showing } from './progress.ts';

interface Options extends KeyOptions {
  to: string;
  overwrite?: boolean;
  own?: boolean;
  json?: boolean;
}

/** `mindi extract SET [PATH…]`. */
export function extractCommand(): Command {
  const command = new Command('extract')
    .description('restore files of a set of `mindi archive`')
    .argument('<set>', SET_ARGUMENT)
    .argument('[path...]', 'files and directories, with all below them; none: all')
    .option('--to <directory>', 'below it files come with their full paths', '.')
    .option('--overwrite', 'replace files that are there')
    .option('--own', 'of a differential set only what itself holds')
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      `
Only the frames the files lie in are read. Owners, modes, times, extended attributes, ACLs and flags come back, for root.
Nothing is written outside the directory, and what is there stays unless --overwrite is said.

Exit status: 0; 1 when a file was not restored as it was archived.

Examples:
  mindi extract /bkp --to /tmp/all
  mindi extract /bkp /srv/www etc/passwd --to /tmp/some
  mindi extract /bkp/srv-000003 /srv/www/index.html --to / --overwrite`,
    );
  return withKeys(command).action(async (path: string, paths: string[], options: Options) => {
    const { openSnapshot } = await import('../archive/engines/open.ts');
    const snapshot = await openSnapshot(path);
    if (snapshot) {
      const { extractSnapshot } = await import('./engine.ts');
      const { json = false, overwrite = false } = options;
      return extractSnapshot(snapshot, { paths, to: resolve(options.to), overwrite, json });
    }
    const [{ openSet }, { extract }] = await Promise.all([
      import('../archive/set.ts'),
      import('../archive/extract.ts'),
    ]);
    await using set = await openSet(path, keysOf(options), placeOptions(options));
    const call = { paths, to: resolve(options.to), overwrite: options.overwrite === true, own: options.own === true };
    const result = await showing({ read: `restoring to ${call.to}` }, async ({ step, progress }) => {
      step('read');
      return extract(set, call, (done) => progress(size(done), 0, 0));
    });
    const { files, bytes, existing, failed, repaired } = result;
    if (options.json) answerJson({ set: set.folder, to: call.to, ...result });
    else {
      for (const one of repaired) talk(`mindi: note: ${one} is damaged: read as its parity repairs it`);
      for (const one of failed) talk(`mindi: ${one}`);
      for (const one of existing) talk(`mindi: ${one} is there already: left as it is`);
      answer(`${files} files, ${size(bytes)}, to ${call.to}`);
    }
    if (failed.length + existing.length > 0) process.exitCode = 1;
  });
}
