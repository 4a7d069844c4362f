import { basename, join, relative } from 'node:path';
import fs from 'fs-extra';
import { writeMedium } from '../../boot/medium.ts';
import { PATHS } from '../../contract/rescue-config.ts';
import { SIGNATURE_SUFFIX } from '../../contract/signature.ts';
import { formatSums } from '../../contract/sums.ts';
import { type Document, document, type MediumManifest } from './manifest.ts';
import { sbomDocument } from './sbom.ts';
import type { Signature } from './sign.ts';

/** A file that a build wrote. */
export interface Output {
  path: string;
  size: number;
  /** Hex. */
  sha256: string;
  /** Of a folder: path of the list of its files' hashes, whose own hash `sha256` is. */
  list?: string;
}

/** What goes onto every medium so that it can be recognised as what was built. */
export function mediumFiles(
  manifest: Document,
  signature: Signature | null,
  folded: boolean,
): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = { [PATHS.mediumManifest]: manifest.bytes };
  if (signature) files[`${PATHS.mediumManifest}${signature.suffix}`] = Buffer.from(signature.text);
  // Elsewhere it names the second stage.
  if (folded) files[PATHS.mediumId] = Buffer.from(`${manifest.sha256}\n`);
  return files;
}

/** Signs, or gives null where nothing is signed. */
export type Signer = (file: { name: string; bytes: Uint8Array }) => Promise<Signature | null>;

/**
 * Writes NAME.manifest.json, NAME.cdx.json and NAME.sha256sums, which covers the images, too. Several profiles can be
 * built into one directory. A signature there of an earlier build goes.
 */
export async function writeDocuments(
  manifest: { content: MediumManifest; document: Document },
  media: readonly Output[],
  { signature, signed }: { signature: Signature | null; signed: Signer },
  out: string,
): Promise<Output[]> {
  const place = (kind: string) => join(out, `${manifest.content.name}.${kind}`);
  const sbom = await sbomDocument(manifest.content, manifest.document.sha256);
  const covered = [
    ...(await written(place('manifest.json'), manifest.document, signature)),
    ...(await written(place('cdx.json'), sbom, null)),
  ];
  const list = [...media, ...covered].map(({ path, list = path, sha256 }) => ({ path: relative(out, list), sha256 }));
  const sums = document(formatSums(list.sort((a, b) => (a.path < b.path ? -1 : 1))));
  const path = place('sha256sums');
  return [...covered, ...(await written(path, sums, await signed({ name: basename(path), bytes: sums.bytes })))];
}

async function written(
  path: string,
  { bytes, size, sha256 }: Document,
  signature: Signature | null,
): Promise<Output[]> {
  for (const suffix of Object.values(SIGNATURE_SUFFIX)) await fs.remove(`${path}${suffix}`);
  await writeMedium(path, (temporary) => fs.writeFile(temporary, bytes));
  if (!signature) return [{ path, size, sha256 }];
  const beside = document(signature.text);
  await writeMedium(`${path}${signature.suffix}`, (temporary) => fs.writeFile(temporary, beside.bytes));
  return [
    { path, size, sha256 },
    { path: `${path}${signature.suffix}`, size: beside.size, sha256: beside.sha256 },
  ];
}
