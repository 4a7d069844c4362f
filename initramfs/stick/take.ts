import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Boot, problem, tell } from '../boot.ts';
import { isKeymapName, STICK_KEYMAPS } from '../keymaps.ts';
import { addAuthorizedKeys } from '../remote/authorized-keys.ts';
import { writeEffectiveConfig } from '../rescue-config.ts';
import type { StickFolder } from './folder.ts';

/** How binary keymaps begin, which busybox loads. */
const BINARY_KEYMAP = 'bkeymap';

/** Puts what people left on a stick to use; what is wrong with it becomes problems. */
export async function takeFolder(boot: Boot, folder: StickFolder): Promise<void> {
  const { device, files } = folder;
  for (const sentence of folder.problems) problem(boot, sentence);
  if (files.length > 0) tell(boot, `on ${device}: ${files.map((name) => `mindi/${name}`).join(', ')}`);
  const keymap = takeKeymaps(boot, folder);
  if (keymap !== null) boot.config = { ...boot.config, keymap };
  if (files.includes('authorized_keys')) takeKeys(boot, folder);
  const config = files.includes('config.yaml') ? await takeConfig(boot, folder) : null;
  boot.sticks.push({ device, files, config });
}

function takeKeys(boot: Boot, { device, path }: StickFolder): void {
  const text = withoutMark(readFileSync(join(path, 'authorized_keys'), 'utf8'));
  for (const sentence of addAuthorizedKeys(text, 'mindi/authorized_keys')) problem(boot, `On ${device}, ${sentence}`);
}

/** Returns the one that is to be used: that which the file `keymap` names, else the only one there is. */
function takeKeymaps(boot: Boot, { device, path, files }: StickFolder): string | null {
  const maps = files.filter((name) => name.endsWith('.kmap'));
  for (const file of maps) {
    const name = file.slice(0, -'.kmap'.length);
    const binary = readFileSync(join(path, file)).toString('latin1', 0, BINARY_KEYMAP.length) === BINARY_KEYMAP;
    mkdirSync(STICK_KEYMAPS, { recursive: true });
    copyFileSync(join(path, file), join(STICK_KEYMAPS, `${name}.${binary ? 'bmap' : 'kmap'}`));
  }
  if (!files.includes('keymap')) return maps.length === 1 ? (maps[0] ?? '').slice(0, -'.kmap'.length) : null;
  const named = withoutMark(readFileSync(join(path, 'keymap'), 'utf8')).trim();
  if (isKeymapName(named)) return named;
  problem(boot, `mindi/keymap on ${device} names no keymap: it holds one word, for example de-latin1.`);
  return null;
}

/** Windows begins UTF-8 texts with a mark. */
const withoutMark = (text: string) => text.replace(/^\ufeff/, '');

/** Returns whether it holds. */
async function takeConfig(boot: Boot, { device, path }: StickFolder): Promise<boolean> {
  // Libraries for YAML and schemas come with it.
  const { applyStickConfig } = await import('./config.ts');
  const { config, problems } = await applyStickConfig(boot.config, join(path, 'config.yaml'), 'mindi/config.yaml');
  for (const { where, message, hint } of problems)
    problem(boot, `On ${device}, ${where}: ${message}.${hint ? ` ${hint}` : ''}`);
  if (problems.length > 0) {
    tell(boot, `nothing of mindi/config.yaml on ${device} is used`);
    return false;
  }
  boot.config = config;
  writeEffectiveConfig(config);
  return true;
}
