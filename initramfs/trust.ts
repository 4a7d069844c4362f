import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type MediumManifestFacts, PATHS } from '../contract/rescue-config.ts';
import { parsePublicKey, SIGNATURE_SUFFIX, verifySignature } from '../contract/signature.ts';
import { type Boot, problem, tell } from './boot.ts';
import { chunks } from './reading.ts';

/** A signature is a few hundred bytes. */
const MOST_SIGNATURE = 10_000;

/**
 * Decides whether this medium is what was built, before anything of this machine is touched and while the medium is
 * mounted. What speaks against it goes to the problems and to PATHS.untrusted, whose being there forbids every command
 * to erase or overwrite anything.
 */
export async function checkTrust(boot: Boot): Promise<void> {
  rmSync(PATHS.untrusted, { force: true });
  boot.trusted = null;
  const { manifest, stage2 } = boot.config;
  // All that a folded medium has is in the boot image that runs.
  if (!manifest || stage2?.where !== 'medium') return;
  if (boot.medium === null) {
    forbid(boot, 'The second stage is missing, so that nothing says whether the medium is what was built.');
    return;
  }
  const wrong = await verifyManifest(PATHS.medium, manifest);
  if (wrong) distrust(boot, `The medium's manifest is not trusted: ${wrong}. This medium will write nothing.`);
  else if (manifest.publicKey) trust(boot);
}

function trust(boot: Boot): void {
  boot.trusted = true;
  tell(boot, 'the medium is signed by the key it was built for');
}

/** From now on this medium must not write; the person is told why. */
export function distrust(boot: Boot, sentence: string): void {
  forbid(boot, sentence);
  problem(boot, sentence);
}

function forbid(boot: Boot, sentence: string): void {
  boot.trusted = false;
  appendFileSync(PATHS.untrusted, `${sentence}\n`);
}

/**
 * Compares the manifest in a directory with what the boot image knows of it.
 * @returns null when it is right, else the end of a sentence
 */
export async function verifyManifest(medium: string, facts: MediumManifestFacts): Promise<string | null> {
  const file = join(medium, PATHS.mediumManifest);
  try {
    if (!existsSync(file)) return 'it is not there';
    const { size } = statSync(file);
    if (size !== facts.size) return `it has ${size} bytes instead of ${facts.size}`;
    const bytes = await read(file);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    if (sha256 !== facts.sha256) return `its checksum is ${sha256} instead of ${facts.sha256}`;
    return facts.publicKey === null ? null : await wrongSignature(file, bytes, facts.publicKey);
  } catch (error) {
    return `it cannot be read (${(error as Error).message})`;
  }
}

async function wrongSignature(file: string, bytes: Uint8Array, publicKey: string): Promise<string | null> {
  const key = parsePublicKey(publicKey);
  if (!key) return 'the public key in the boot image is none';
  const signature = `${file}${SIGNATURE_SUFFIX[key.kind]}`;
  if (!existsSync(signature) || statSync(signature).size > MOST_SIGNATURE) return 'it is not signed';
  return verifySignature(bytes, (await read(signature)).toString('utf8'), key);
}

async function read(file: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks(file)) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts);
}
