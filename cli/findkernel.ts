import { Command } from 'commander';
import type { KernelSearch } from '../builder/kernel/find.ts';
import type { KernelSource, KernelTree } from '../builder/kernel/source.ts';
import { answer, answerJson, talk } from './output.ts';

interface Options {
  json?: boolean;
  refresh?: boolean;
}

/** `mindi findkernel`, and the classic `mindi --findkernel` that backup programs call. */
export function findkernelCommand(): Command {
  return new Command('findkernel')
    .description('print the path of the running kernel’s image, or of the kernel a profile would take')
    .argument('[source]', 'running, auto, failsafe, a Debian package name or a package file', 'running')
    .option('--refresh', 'fetch the newest version of a Debian package, though one is cached')
    .option('--json', 'print release, build string, image and what was rejected as JSON')
    .addHelpText(
      'after',
      `
Exit status: 0 found, 1 not found.

Examples:
  mindi findkernel                     the image of the running kernel, one line
  mindi --findkernel                   the same, as mindi always understood it
  mindi findkernel auto                what \`kernel: auto\` means on this machine
  mindi findkernel failsafe --refresh  fetch the newest failsafe kernel into the cache`,
    )
    .action(async (source: string, options: Options) => {
      process.exitCode = source === 'running' ? await findRunning(options) : await findSource(source, options);
    });
}

async function findRunning(options: Options): Promise<number> {
  const { duffWarning, findKernel, noKernel } = await import('../builder/kernel/find.ts');
  const search = findKernel();
  if (options.json) answerJson(describe(search));
  else if (search.found) answer(search.found.path);
  if (!search.found) talk(`mindi: ${noKernel(search).format()}`);
  else if (search.found.duff) talk(`mindi: ${duffWarning(search.found, search.running)}`);
  return search.found ? 0 : 1;
}

function describe({ running, found, rejected }: KernelSearch) {
  const { path, header, duff } = found ?? {};
  return { running, found: found ? { path, duff, ...header } : null, rejected };
}

async function findSource(source: string, options: Options): Promise<number> {
  const { resolveKernel } = await import('../builder/kernel/source.ts');
  const say = (text: string) => talk(`mindi: ${text}`);
  const kernel: KernelTree = await resolveKernel(kernelSource(source), { say, refresh: options.refresh });
  if (options.json) answerJson(kernel);
  else answer(kernel.image);
  return 0;
}

const kernelSource = (source: string): KernelSource =>
  source === 'auto' || source === 'failsafe' ? source : { package: source };
