import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import fs from 'fs-extra';
import { describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

/** Which folders a folder may import from besides itself: ARCHITECTURE.md's table. */
const MAY_IMPORT: Record<string, string[]> = {
  contract: [],
  builder: ['contract', 'boot'],
  boot: ['contract', 'builder'],
  initramfs: ['contract'],
  cli: ['contract', 'builder', 'boot'],
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
});

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
