import { Command, Option } from 'commander';
import type { Coverage } from '../builder/coverage/types.ts';
import { MindiError } from '../contract/error.ts';
import { answer, answerJson, talk } from './output.ts';

const FORMATS = ['text', 'json', 'junit', 'html', 'markdown'] as const;

interface Options {
  image?: string;
  hardware?: string[];
  kernels?: string;
  only?: string[];
  format: (typeof FORMATS)[number];
  json?: boolean;
  refresh?: boolean;
}

/** `mindi coverage PROFILE` and `mindi coverage --image IMAGE`. */
export function coverageCommand(): Command {
  return new Command('coverage')
    .description('tell which devices a profile’s media, or a finished image, have drivers for')
    .argument('[profile]', 'a built-in profile (standalone, minimal) or a YAML file')
    .option('--image <image>', 'look into this ISO, USB image or initrd instead of a profile')
    .option('--hardware <files...>', 'machines, as `mindi probe` wrote them')
    .option('--kernels <file>', 'a coverage file with kernels of your own; mindi’s coverage.yaml')
    .option('--only <names...>', 'of its kernels only these')
    .addOption(new Option('--format <format>', 'how to answer').choices(FORMATS).default('text'))
    .option('--json', 'the same as --format json')
    .option('--refresh', 'ask for newer kernel packages, though some are cached')
    .addHelpText(
      'after',
      `
With a profile alone, required hardware is looked for on every kernel of the coverage file; with --hardware alone, the
devices of these machines on the profile’s own kernel. Kernel packages are fetched once; later runs need no network.

Exit status: 0 when everything required has a driver, 1 when something has none or a kernel cannot be had, 2 when the
call or a file is wrong.

Examples:
  mindi coverage standalone
  mindi coverage web1.yaml --hardware web1.json web2.json
  mindi coverage standalone --only bookworm trixie --format html > coverage.html
  mindi coverage standalone --kernels my-kernels.yaml --format junit > coverage.xml
  mindi coverage --image out/standalone.iso --hardware web1.json`,
    )
    .action(coverage);
}

async function coverage(profileName: string | undefined, options: Options): Promise<void> {
  const found = await find(profileName, options);
  await print(found, options.json ? 'json' : options.format);
  process.exitCode = found.covered ? 0 : 1;
}

async function find(profileName: string | undefined, options: Options): Promise<Coverage> {
  checkCall(profileName, options);
  const [{ imageCoverage, profileCoverage }, { loadProfile }] = await Promise.all([
    import('../builder/coverage/coverage.ts'),
    import('../builder/profile/load.ts'),
  ]);
  if (options.image !== undefined) return await imageCoverage(options.image, options.hardware);
  return await profileCoverage(await loadProfile(profileName ?? ''), {
    ...options,
    say: (text) => talk(`mindi: ${text}`),
  });
}

function checkCall(profileName: string | undefined, { image, kernels, only }: Options): void {
  if (image === undefined && profileName === undefined) {
    throw new MindiError('coverage needs a profile or --image', {
      code: 'call.missing',
      hint: 'See `mindi coverage --help`; `mindi coverage standalone` is a start.',
    });
  }
  const surplus = profileName ?? kernels ?? only?.[0];
  if (image !== undefined && surplus !== undefined) {
    throw new MindiError(`an image has its own drivers and kernel: ${surplus} says nothing about it`, {
      code: 'call.surplus',
      hint: 'Give --image and --hardware, or a profile.',
    });
  }
}

async function print(found: Coverage, format: Options['format']): Promise<void> {
  switch (format) {
    case 'json':
      return answerJson(found);
    case 'text':
      return answer((await import('./coverage-text.ts')).coverageText(found));
    case 'junit':
      return answer((await import('../builder/coverage/report-junit.ts')).junitReport(found));
    case 'markdown':
      return answer((await import('../builder/coverage/report-markdown.ts')).markdownReport(found));
    case 'html':
      return answer(await (await import('../builder/coverage/report-html.ts')).htmlReport(found));
  }
}
