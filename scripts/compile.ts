import { globSync } from 'node:fs';
import { join } from 'node:path';

/** Loads every part of mindi once, so that Node keeps it compiled (NODE_COMPILE_CACHE) and the first build need not wait. */
const ROOT = join(import.meta.dirname, '..');
for (const file of globSync('{contract,builder,boot,archive,cli}/**/*.ts', {
  cwd: ROOT,
  exclude: ['archive/pack-worker.ts'],
}))
  await import(join(ROOT, file));
