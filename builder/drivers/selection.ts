import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deserialize, serialize } from 'node:v8';
import fs from 'fs-extra';
import { formatLeftOut, LEFT_OUT_FILE } from '../../contract/left-out.ts';
import { cached, hashOf } from '../cache.ts';
import { leftOutModules } from './left-out.ts';
import { moduleMetadata } from './metadata.ts';
import { migrations } from './migrate.ts';
import { RECORD } from './recorded.ts';
import { type DriverSelection, type ResolveDriversOptions, resolveDrivers } from './resolve.ts';
import { ALWAYS_SET } from './scope.ts';
import { loadDriverSets } from './sets.ts';
import { openKernelTree } from './tree.ts';

/** The modules of a kernel a profile wants, and the modules.* files that go with them, for the initrd and for all. */
export interface Selection extends DriverSelection {
  metadata: { essential: Map<string, string | Uint8Array>; all: Map<string, string | Uint8Array> };
}

export type SelectionOptions = Omit<ResolveDriversOptions, 'tree'> & { modulesDir: string };

/** What a selection is decided by besides its options: this code. Its files' times are enough to tell a change. */
const CODE = ['.', '../../contract', '../../packages/node-kmod-deps/src'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);
/** depmod writes these whenever modules come or go; the last stands for modules that are not there. */
const STAMPED = ['modules.dep', 'modules.alias', 'modules.softdep', 'modules.builtin', 'modules.order', RECORD];

/**
 * resolveDrivers with its metadata, remembered while the kernel's modules.*, the sets and this code stay the same: a
 * second's work that most builds need not do again.
 * @throws MindiError as resolveDrivers does; failures are not remembered.
 */
export async function selectDrivers(options: SelectionOptions): Promise<Selection> {
  const key = await keyOf(options);
  let fresh: Selection | undefined;
  const path = await cached('drivers', key, async (target) => {
    fresh = await select(options);
    await fs.writeFile(target, serialize(fresh));
  });
  return fresh ?? (deserialize(await readFile(path)) as Selection);
}

async function select({ modulesDir, ...options }: SelectionOptions): Promise<Selection> {
  const tree = await openKernelTree(modulesDir);
  const selection = await resolveDrivers({ ...options, tree });
  const essential = await moduleMetadata(tree, selection.essential);
  essential.set(LEFT_OUT_FILE, formatLeftOut(leftOutModules(tree, selection)));
  const all = await moduleMetadata(tree, selection.modules.keys());
  return { ...selection, metadata: { essential, all } };
}

async function keyOf({ modulesDir, where, ...options }: SelectionOptions): Promise<string> {
  const { sets, include, exclude, setDirectories, scope, migrateTo = [] } = options;
  const loaded = await loadDriverSets(sets, setDirectories, (index) => where?.('sets', index));
  const moved = await migrations(migrateTo, setDirectories, (index) => where?.('migrateTo', index));
  const always = scope ? await loadDriverSets([ALWAYS_SET]) : [];
  const files = [...loaded, ...moved.sets, ...always].map(({ file }) => [
    file,
    createHash('sha256').update(fs.readFileSync(file)).digest('hex'),
  ]);
  const code = CODE.flatMap((directory) => readdirSync(directory).map((name) => stamp(join(directory, name))));
  const kernel = STAMPED.map((name) => stamp(join(modulesDir, name)));
  return hashOf([kernel, sets, include, exclude, scope, migrateTo, files, code, process.versions.v8]);
}

function stamp(file: string): (string | number)[] {
  const { mtimeMs = 0, size = -1, ino = 0 } = statSync(file, { throwIfNoEntry: false }) ?? {};
  return [file, mtimeMs, size, ino];
}
