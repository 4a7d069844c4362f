import { describe, expect, test } from 'vitest';
import { driverPieces } from '../../builder/drivers/pieces.ts';
import type { Piece } from '../../builder/piece.ts';
import { type Plan, plan } from '../../builder/plan.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { FileHashes } from '../../builder/tools/hashes.ts';
import type { Entry, Reason } from '../../contract/manifest.ts';
import { type KernelName, kernelFixture } from '../kernel-fixture.ts';

const NOTHING: Piece = { entries: [], contents: new Map() };
const CASES: [profile: string, kernel: KernelName][] = [
  ['standalone', 'bookworm-amd64'],
  ['standalone', 'bookworm-cloud-amd64'],
  ['standalone', 'trixie-amd64'],
  ['minimal', 'bookworm-amd64'],
  ['minimal', 'trixie-amd64'],
];

/**
 * The drivers on the media of the built-in profiles, for real kernels' metadata (their modules are stand-ins): every
 * module, in which segment and why. What the building machine brings, tools and runtime, is left out.
 */
describe('golden manifests', () => {
  test.each(CASES)('%s on %s', async (profile, kernel) => {
    const { manifest } = await planFor(profile, kernel);
    const text = manifest.segments.map(({ name, entries }) => `# ${name}\n${entries.map(line).join('')}`).join('');
    await expect(text).toMatchFileSnapshot(`${profile}-${kernel}.txt`);
  });

  test('the same inputs give the same manifest, entry for entry', async () => {
    const [one, other] = await Promise.all([
      planFor('standalone', 'trixie-amd64'),
      planFor('standalone', 'trixie-amd64'),
    ]);
    expect(one.manifest).toEqual(other.manifest);
  });
});

async function planFor(name: string, kernelName: KernelName): Promise<Plan> {
  const profile = await loadProfile(name);
  const { release, directory } = await kernelFixture(kernelName, { modules: 'stand-ins' });
  const kernel = {
    release,
    banner: release,
    image: '',
    imageSha256: '',
    imageSize: 0,
    modulesDir: directory,
    hasDep: true,
    origin: release,
  };
  // Firmware is of the building machine, too.
  const drivers = { ...profile.drivers, firmware: 'none' as const };
  const pieces = await driverPieces({ ...profile, drivers }, kernel, new FileHashes());
  return plan({
    profile,
    generator: 'mindi',
    epoch: 0,
    kernel,
    base: NOTHING,
    restore: NOTHING,
    runtime: NOTHING,
    tools: NOTHING,
    mountlist: null,
    record: null,
    authorizedKeys: NOTHING,
    ...pieces,
  });
}

function line(entry: Entry): string {
  if (entry.type === 'directory') return '';
  const link = entry.type === 'symlink' ? ` -> ${entry.target}` : '';
  return `${entry.path}${link}: ${entry.why.map(because).join('; ')}\n`;
}

const because = ({ rule, via = [], kind }: Reason) =>
  [rule, ...via].join(' > ') + (kind && kind !== 'named' ? ` (${kind})` : '');
