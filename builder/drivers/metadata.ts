import { type ModuleTree, trimMetadata } from 'node-kmod-deps';
import { kmodErrors } from './tree.ts';

/**
 * The modules.* files for the chosen modules, by file name: text for busybox and our init, and the .bin tries that kmod's
 * modprobe needs, which depmod would write. Deterministic; paths are those of SelectedModule.stored.
 * @throws MindiError `kernel.*`
 */
export async function moduleMetadata(
  tree: ModuleTree,
  names: Iterable<string>,
): Promise<Map<string, string | Uint8Array>> {
  return await kmodErrors(() => trimMetadata(tree, names));
}
