import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MindiError } from '../contract/error.ts';
import { PATHS } from '../contract/rescue-config.ts';
import { cached, hashOf } from './cache.ts';
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

/** Where loadkeys looks: Debian and openSUSE, Arch, Fedora. */
const FOLDERS = ['/usr/share/keymaps', '/usr/share/kbd/keymaps', '/usr/lib/kbd/keymaps'];

/**
 * Keymaps by name, as this machine's loadkeys (package kbd) knows them, for the rescue system to choose from. What it does
 * not know, or all where there is no loadkeys, is in `missing`. loadkeys runs only when it or a keymap has changed.
 */
export async function keymapPiece(names: readonly string[]): Promise<Keymaps> {
  const key = hashOf([names, installedKeymaps()]);
  const path = await cached('keymaps', `${key}.json`, async (temporary) => {
    await writeFile(temporary, JSON.stringify(await binaryKeymaps(names)));
  });
  const piece: Piece = { entries: [], contents: new Map() };
  const missing: string[] = [];
  for (const [name, bytes] of JSON.parse(await readFile(path, 'utf8')) as [string, string | null][]) {
    if (bytes === null) missing.push(name);
    else madeFile(piece, `${PATHS.keymaps}/${name}.bmap`, Buffer.from(bytes, 'base64'), [{ rule: 'access.keymaps' }]);
  }
  return { piece, missing };
}

/** Name, size and time of each keymap file and of loadkeys. */
function installedKeymaps(): [path: string, size: number, modified: number][] {
  const programs = (process.env.PATH ?? '').split(':').map((folder) => join(folder, 'loadkeys'));
  const files = FOLDERS.filter((folder) => existsSync(folder)).flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  return [...programs, ...files].flatMap((file): [string, number, number][] => {
    // Some folders of PATH may be closed to us.
    const stat = existsSync(file) ? statSync(file) : null;
    return stat?.isFile() ? [[file, stat.size, stat.mtimeMs]] : [];
  });
}

/** In base64; null for what loadkeys does not know. */
async function binaryKeymaps(names: readonly string[]): Promise<[name: string, bytes: string | null][]> {
  await using work = await scratch('keymaps');
  return await Promise.all(
    names.map(async (name): Promise<[string, string | null]> => {
      const file = join(work.path, `${name}.bmap`);
      try {
        await run('loadkeys', ['-q', '-u', '-b', name], { stdoutFile: file });
        return [name, await readFile(file, 'base64')];
      } catch (error) {
        if (error instanceof MindiError) return [name, null];
        throw error;
      }
    }),
  );
}
