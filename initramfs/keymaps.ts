import { existsSync, readFileSync } from 'node:fs';
import { PATHS } from '../contract/rescue-config.ts';
import { list } from './devices.ts';
import { busybox, complaint, run } from './process.ts';

const LOADKEYS = ['/usr/bin/loadkeys', '/usr/sbin/loadkeys'];

/** Names of the keymaps on the medium. */
export function keymapNames(): string[] {
  return list(PATHS.keymaps).flatMap((file) => /^(.+)\.bmap$/.exec(file)?.[1] ?? []);
}

/** Gives the screen's keyboard a layout. Returns why that failed, no whole sentence; else null. */
export async function loadKeymap(name: string): Promise<string | null> {
  if (!/^[\w.+-]+$/.test(name)) return 'that is no name of a keymap';
  const binary = `${PATHS.keymaps}/${name}.bmap`;
  if (existsSync(binary)) return failure(await busybox(['loadkmap'], { input: readFileSync(binary) }));
  const loadkeys = LOADKEYS.find((path) => existsSync(path));
  if (!loadkeys) return `it is not on the medium, which has ${keymapNames().join(', ') || 'none'}`;
  return failure(await run(loadkeys, ['-q', '-C', '/dev/tty0', name], { limit: 10 }));
}

function failure(result: Parameters<typeof complaint>[0]): string | null {
  return result.code === 0 ? null : complaint(result);
}
