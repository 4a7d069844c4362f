import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from '../../builder/build.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { signingKey } from '../../builder/trust/sign.ts';

/** The drivers of these machines and no others: every byte goes through the loaders' TFTP. */
export const FEW_DRIVERS =
  'drivers: { sets: [virtio, input], include: [ahci, xhci_pci], exclude: [drivers/net/ethernet/, drivers/net/usb/], firmware: none }';

/**
 * Builds a netboot folder with few tools, whose second stage is at `url`.
 * @param work where it is built, in a folder of its name
 * @param more lines of the profile; few drivers when not given
 * @param key a secret key of minisign
 */
export async function netbootFolder(
  work: string,
  name: string,
  url: string | null,
  more = FEW_DRIVERS,
  key?: string,
): Promise<string> {
  const file = join(work, `${name}.yaml`);
  const lines = ['name: lab', 'extends: netboot', 'mountlist: none', 'tools: { sets: [base] }'];
  await writeFile(file, [...lines, `netboot: { url: ${JSON.stringify(url)} }`, more].join('\n'));
  const options = key ? { sign: await signingKey(key) } : {};
  const { media } = await build(await loadProfile(file), join(work, name), {}, options);
  return media[0]?.path ?? '';
}
