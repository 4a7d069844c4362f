import { Command } from 'commander';
import type { BuildResult, StepName } from '../builder/build.ts';
import type { SigningKey } from '../builder/trust/sign.ts';
import { mediumParts } from './engine.ts';
import { answer, answerJson, paint, size, table } from './output.ts';
import type { Teller } from './progress.ts';

interface Options {
  out: string;
  sign?: string;
  json?: boolean;
}

/** `mindi build PROFILE`. */
export function buildCommand(): Command {
  return new Command('build')
    .description('build the media a profile names')
    .argument('<profile>', 'a built-in profile (standalone, usb, netboot, minimal) or a YAML file')
    .option('--out <dir>', 'where the images go; made with its parents when it is not there', 'out')
    .option('--sign <key>', "sign manifest and sums: minisign's secret key, or an OpenSSH key")
    .option('--json', 'print what was made as JSON')
    .addHelpText(
      'after',
      `
An image that is there already is replaced only when the new one is whole; the folder of a netboot medium only when all
in it is mindi's. Every file in DIR is byte for byte the same
for the same inputs; set SOURCE_DATE_EPOCH to choose the time written on the media.

Beside the images: NAME.manifest.json (every file, its hash, package and version), NAME.cdx.json (the same packages as a
CycloneDX SBOM), NAME.sha256sums (of all that), and with --sign their signatures. docs/trust.md says what they are for.

Examples:
  mindi build standalone --out /srv/rescue     the built-in profile for this machine
  mindi build usb                              the same as an image for a USB stick
  mindi build web1.yaml --sign ~/mindi.key     then: minisign -V -p mindi.pub -m out/web1.sha256sums
  mindi build web1.yaml                        your own, into ./out
  mindi build web1.yaml --json | jq -r '.media[].path'`,
    )
    .action(async (profile: string, options: Options) => {
      await runBuild(profile, options);
    });
}

/** Builds and tells: progress on stderr, the result on stdout. Bare `mindi` calls it too. */
export async function runBuild(profileName: string, options: Options): Promise<BuildResult> {
  const [{ loadProfile }, { build }] = await Promise.all([
    import('../builder/profile/load.ts'),
    import('../builder/build.ts'),
  ]);
  const [profile, { showing }] = await Promise.all([loadProfile(profileName), import('./progress.ts')]);
  const sign = options.sign === undefined ? undefined : await keyOf(options.sign);
  // A spinner would write over the question for the passphrase.
  const plain = sign?.encrypted ?? false;
  const work = async (teller: Teller<StepName>) => {
    const parts = await mediumParts(profile, teller.note);
    return build(parts.profile, options.out, teller, { sign, files: parts.files });
  };
  const result = await showing(TITLES, work, { plain });
  if (options.json) answerJson(result);
  else answer(summary(result));
  return result;
}

async function keyOf(path: string): Promise<SigningKey> {
  const { signingKey } = await import('../builder/trust/sign.ts');
  return signingKey(path);
}

const TITLES: Record<StepName, string> = {
  gather: 'Find the kernel, its drivers, the tools and the disks',
  plan: 'Decide every file',
  pack: 'Pack',
  write: 'Write the media',
  hash: 'Hash what was written',
};

function summary(result: BuildResult): string {
  const media = [...result.media, ...result.documents].map(({ path, size: bytes, sha256 }) => [
    paint('bold', path),
    size(bytes),
    sha256,
  ]);
  const total = result.parts.reduce((sum, part) => sum + part.size, 0);
  const parts = result.parts.map(({ name, size: bytes, files, cached }) => [
    `  ${name}`,
    size(bytes),
    `${Math.round((100 * bytes) / total)} %`,
    files === bytes ? '' : `of ${size(files)}`,
    cached ? 'from the cache' : '',
  ]);
  const seconds = result.steps.reduce((sum, step) => sum + step.seconds, 0);
  const steps = result.steps.map(({ name, seconds: s }) => `${name} ${s.toFixed(2)}`).join(', ');
  return [
    table(media, [1]),
    '',
    `kernel ${result.kernel}; the bytes:`,
    table(parts, [1, 2, 3]),
    '',
    `${seconds.toFixed(2)} s: ${steps}`,
  ].join('\n');
}
