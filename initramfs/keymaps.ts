import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PATHS } from '../contract/rescue-config.ts';
import { list } from './devices.ts';
import { busybox, complaint, run } from './process.ts';

/** Keymaps from a stick: NAME.bmap as the medium's, or NAME.kmap, which is text. */
export const STICK_KEYMAPS = '/run/mindi/keymaps';
const FOLDERS = [STICK_KEYMAPS, PATHS.keymaps];
const LOADKEYS = ['/usr/bin/loadkeys', '/usr/sbin/loadkeys'];

/** Names of the keymaps on the medium and on a stick. */
export function keymapNames(): string[] {
  const files = FOLDERS.flatMap((folder) => list(folder));
  return [...new Set(files.flatMap((file) => /^(.+)\.[bk]map$/.exec(file)?.[1] ?? []))];
}

export const isKeymapName = (name: string) => /^[\w.+-]+$/.test(name);

/** Gives the screen's keyboard a layout. Returns why that failed, no whole sentence; else null. */
export async function loadKeymap(name: string): Promise<string | null> {
  if (!isKeymapName(name)) return 'that is no name of a keymap';
  const binary = FOLDERS.map((folder) => join(folder, `${name}.bmap`)).find((path) => existsSync(path));
  if (binary) return failure(await busybox(['loadkmap'], { input: readFileSync(binary) }));
  const loadkeys = LOADKEYS.find((path) => existsSync(path));
  const text = join(STICK_KEYMAPS, `${name}.kmap`);
  if (!loadkeys && existsSync(text)) return 'it is text, and loadkeys, which reads that, is not on the medium';
  if (!loadkeys) return `it is not on the medium, which has ${keymapNames().join(', ') || 'none'}`;
  return failure(await run(loadkeys, ['-q', '-C', '/dev/tty0', existsSync(text) ? text : name], { limit: 10 }));
}

function failure(result: Parameters<typeof complaint>[0]): string | null {
  return result.code === 0 ? null : complaint(result);
}
