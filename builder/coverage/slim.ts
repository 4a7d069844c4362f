import { join } from 'node:path';
import fs from 'fs-extra';
import { METADATA_FILES, readSummary } from 'node-kmod-deps';
import pLimit from 'p-limit';
import { factsOf } from '../drivers/facts.ts';
import { formatRecord, RECORD, type RecordedModule } from '../drivers/recorded.ts';
import { kmodErrors, openKernelTree } from '../drivers/tree.ts';

/** Decompression happens on the thread pool. */
const AT_ONCE = 8;

/**
 * Copies what is known of a kernel's modules without the modules: the modules.* files and a record of sizes, firmware,
 * weak dependencies and imported symbols. Some 10 MB instead of 400.
 */
export async function keepMetadata(modulesDir: string, target: string): Promise<void> {
  const tree = await openKernelTree(modulesDir);
  await fs.ensureDir(target);
  for (const file of METADATA_FILES) {
    const text = tree.text(file);
    if (text !== undefined) await fs.writeFile(join(target, file), text);
  }
  const modules = await kmodErrors(() =>
    pLimit(AT_ONCE).map(tree.names, async (name): Promise<[string, RecordedModule]> => {
      const { modinfo, imports, size } = await readSummary(tree.file(name) ?? '');
      return [name, { size, imports, ...factsOf(modinfo) }];
    }),
  );
  await fs.writeFile(join(target, RECORD), formatRecord(new Map(modules)));
}
