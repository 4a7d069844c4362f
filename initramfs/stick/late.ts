import { type Boot, tell } from '../boot.ts';
import { settingFor } from '../network/set-up.ts';
import { startWantedPage, startWantedSsh } from '../remote/start.ts';
import { keymap } from '../steps/keymap.ts';
import { network } from '../steps/network.ts';
import { findNewFolders } from './folder.ts';
import { takeFolder } from './take.ts';

/**
 * Takes what is on sticks that were plugged in after the boot, by the same rules, and puts it to use as far as the boot is
 * not over with it: what is set up already stays, and it is told how it would change.
 */
export async function takeLateSticks(boot: Boot): Promise<void> {
  if (!boot.config.stick) return;
  for (const folder of await findNewFolders(boot)) {
    const before = boot.config;
    await takeFolder(boot, folder);
    if (boot.parameters.keymap === null && boot.config.keymap !== before.keymap) await keymap.run(boot);
    await useNetwork(boot, before.network);
    if (folder.files.includes('authorized_keys')) await startWantedSsh(boot);
    if (!boot.statusPage) await startWantedPage(boot);
    tellRestore(boot, before.restore);
  }
}

async function useNetwork(boot: Boot, before: Boot['config']['network']): Promise<void> {
  if (!boot.network && settingFor(boot)) return network.run(boot);
  const changed = JSON.stringify(boot.config.network ?? {}) !== JSON.stringify(before ?? {});
  if (changed) tell(boot, "the network stays as it is: 'Network' in the menu sets it up as the stick says");
}

function tellRestore(boot: Boot, before: Boot['config']['restore']): void {
  const { source, mode } = boot.config.restore;
  if (boot.parameters.source === null && source !== before.source)
    tell(boot, "the restore source is another one now: 'Open the restore source' in the menu offers it");
  if (mode !== before.mode) tell(boot, `it stays ${boot.mode} mode: a stick says the mode when the machine starts`);
}
