import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MindiError } from '../contract/error.ts';
import { PATHS } from '../contract/rescue-config.ts';
import { madeFile, type Piece } from './piece.ts';
import { run } from './run.ts';
import { scratch } from './scratch.ts';

/**
 * The console keymap for the medium: null for the kernel's own, a name, or for `host` what this machine uses as told by
 * /etc/vconsole.conf (systemd) or /etc/default/keyboard (Debian's console-setup; its layout names are keymap names of kbd
 * for the common ones).
 */
export function hostKeymap(wanted: string | null, root = ''): string | null {
  if (wanted !== 'host') return wanted;
  const vconsole = setting(`${root}/etc/vconsole.conf`, 'KEYMAP');
  return vconsole ?? setting(`${root}/etc/default/keyboard`, 'XKBLAYOUT')?.split(',')[0] ?? null;
}

/** The value of NAME="value" in a file of shell assignments. */
function setting(file: string, name: string): string | null {
  try {
    const line = readFileSync(file, 'utf8').match(new RegExp(`^\\s*${name}=["']?([^"'\\n]*)`, 'm'));
    return line?.[1]?.trim() || null;
  } catch {
    return null;
  }
}

export interface Keymaps {
  /** A binary keymap for each, some 2 KiB, that busybox can load. */
  piece: Piece;
  /** Those this machine does not have. */
  missing: string[];
}

/**
 * Keymaps by name, as this machine's loadkeys (package kbd) knows them, for the rescue system to choose from. What it does
 * not know, or all where there is no loadkeys, is in `missing`.
 */
export async function keymapPiece(names: readonly string[]): Promise<Keymaps> {
  await using work = await scratch('keymaps');
  const piece: Piece = { entries: [], contents: new Map() };
  const missing: string[] = [];
  const files = names.map((name) => binaryKeymap(name, join(work.path, `${name}.bmap`)));
  for (const [i, bytes] of (await Promise.all(files)).entries()) {
    const name = names[i] ?? '';
    if (bytes) madeFile(piece, `${PATHS.keymaps}/${name}.bmap`, bytes, [{ rule: 'access.keymaps' }]);
    else missing.push(name);
  }
  return { piece, missing };
}

/** Null when there is none of that name. */
async function binaryKeymap(name: string, file: string): Promise<Uint8Array | null> {
  try {
    await run('loadkeys', ['-q', '-u', '-b', name], { stdoutFile: file });
    return await readFile(file);
  } catch (error) {
    if (error instanceof MindiError) return null;
    throw error;
  }
}
