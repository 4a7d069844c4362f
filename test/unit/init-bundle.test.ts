import { describe, expect, test } from 'vitest';
import { bundleInit } from '../../builder/init-bundle.ts';

/** What Node needs long to load: a second of the boot for HTTP on a slow machine. */
const HEAVY = /^(node:https?|node:http2|node:sqlite|node:inspector|node:test)$/;

describe('the bundled init', () => {
  test('starts without what takes long to load: that comes when it is needed', async () => {
    const files = await bundleInit();
    const atStart = new Set(['init.mjs']);
    const heavy: string[] = [];
    for (const name of atStart)
      for (const wanted of imports(files.get(name) ?? '')) {
        if (wanted.startsWith('./')) atStart.add(wanted.slice(2));
        else if (HEAVY.test(wanted)) heavy.push(`${name} imports ${wanted}`);
      }
    expect(heavy).toEqual([]);
  });
});

/** What a module cannot start without. */
function imports(text: string): string[] {
  return [...text.matchAll(/^(?:import\b|\}).*?["']([^"']+)["'];$/gm)].map((match) => match[1] as string);
}
