import type { Entry } from '../../contract/manifest.ts';
import { madeFile, type Piece } from '../piece.ts';
import type { FileHashes } from '../tools/hashes.ts';
import type { DriverSelection } from './resolve.ts';

/** Where the modules of a kernel lie on the media. */
export const modulesOnMedia = (release: string): string => `/usr/lib/modules/${release}`;

/**
 * Modules as they will be on the media: decompressed, because busybox and older kernels read no other, and what is
 * packed around them compresses better.
 */
export async function modulePiece(
  names: readonly string[],
  { modules }: DriverSelection,
  release: string,
  hashes: FileHashes,
): Promise<Piece> {
  const piece: Piece = { entries: [], contents: new Map() };
  const entries = names.map(async (name): Promise<Entry> => {
    const module = modules.get(name);
    if (!module) throw new Error(`module ${name} was never selected`);
    const { sha256, size } = await hashes.of(module.path, 'module');
    piece.contents.set(sha256, { from: 'module', path: module.path });
    const path = `${modulesOnMedia(release)}/${module.stored}`;
    const origin = `kernel ${release}: ${module.stored}`;
    return { type: 'file', path, mode: 0o644, uid: 0, gid: 0, why: module.reasons, size, sha256, origin };
  });
  piece.entries.push(...(await Promise.all(entries)));
  return piece;
}

/** The modules.* files that go with them. */
export function metadataPiece(files: ReadonlyMap<string, string | Uint8Array>, release: string): Piece {
  const piece: Piece = { entries: [], contents: new Map() };
  for (const [file, content] of files) {
    madeFile(piece, `${modulesOnMedia(release)}/${file}`, content, [{ rule: 'modules of the driver sets' }]);
  }
  return piece;
}
