import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import fs from 'fs-extra';
import { describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

/** What Node needs long to load: a second of the boot for HTTP on a slow machine. */
const HEAVY = /^node:(https?|http2|inspector|sqlite|test|tls)$/;

/** Which folders a folder may import from besides itself: ARCHITECTURE.md's table. */
const MAY_IMPORT: Record<string, string[]> = {
  contract: [],
  builder: ['contract', 'boot', 'capture'],
  boot: ['contract', 'builder'],
  capture: ['contract'],
  restore: ['contract'],
  initramfs: ['contract', 'capture', 'restore'],
  archive: ['contract', 'builder', 'boot'],
  cli: ['contract', 'builder', 'boot', 'archive', 'capture', 'restore'],
};

describe('the house', () => {
  test.each(Object.keys(MAY_IMPORT))('%s/ imports only what it may', (folder) => {
    const wrong = sources(folder).flatMap((file) =>
      imports(file)
        .map((target) => relative(ROOT, target).split('/')[0] as string)
        .filter((target) => target !== folder && !MAY_IMPORT[folder]?.includes(target))
        .map((target) => `${relative(ROOT, file)} imports ${target}/`),
    );
    expect(wrong).toEqual([]);
  });

  test('boot/ takes only helpers from builder/: run, cache, log, scratch and the package names', () => {
    const taken = sources('boot')
      .flatMap(imports)
      .map((target) => relative(ROOT, target));
    const outside = taken.filter(
      (target) => target.startsWith('builder/') && !/^builder\/(run|cache|log|scratch|doctor\/)/.test(target),
    );
    expect(outside).toEqual([]);
  });

  test('the init starts without what takes long to load: that is imported when it is needed', () => {
    const loaded = new Set([join(ROOT, 'initramfs/main.ts')]);
    const heavy: string[] = [];
    for (const file of loaded)
      for (const name of statics(file)) {
        if (name.startsWith('.')) loaded.add(resolve(dirname(file), name));
        else if (HEAVY.test(name)) heavy.push(`${relative(ROOT, file)} imports ${name}`);
      }
    expect(loaded.size).toBeGreaterThan(50);
    expect(heavy).toEqual([]);
  });
});

/** What a file's static imports and exports name, types left out. */
function statics(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const named = /^(?:import|export)\s+(?!type\b)(?:[^;'"]*?\bfrom\s+)?'([^']+)'/gm;
  return [...text.matchAll(named)].map((match) => match[1] as string);
}

function sources(folder: string): string[] {
  const all = fs.readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  return all.filter((file) => file.endsWith('.ts')).map((file) => join(ROOT, folder, file));
}

/** Absolute paths of a file's relative imports, static and dynamic. */
function imports(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const named = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+\.ts)'/g)].map((match) => match[1] as string);
  return named.map((path) => resolve(dirname(file), path));
}
