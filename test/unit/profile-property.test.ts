import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadProfile, type Profile } from '../../builder/profile/load.ts';
import { ProfileSchema } from '../../builder/profile/schema.ts';
import { MindiError } from '../../contract/error.ts';
import { RESTORE_MODES } from '../../contract/rescue-config.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const folder = temporaryFolder('profile');
const own = join(folder, 'own.yaml');
const base = join(folder, 'base.yaml');

/** The profile, or undefined when it was refused as bad input must be; anything else thrown fails the test. */
async function loaded(content: string | Uint8Array): Promise<Profile | undefined> {
  writeFileSync(own, content);
  try {
    return await loadProfile(own);
  } catch (error) {
    if (!(error instanceof MindiError)) throw error;
    expect(error.exitCode).toBe(2);
    for (const problem of error.problems.length > 0 ? error.problems : [error]) {
      expect(problem.message).not.toBe('');
      expect(problem.where).toMatch(/own\.yaml/);
    }
    return undefined;
  }
}

const KEYS = Object.entries(ProfileSchema.properties).flatMap(([key, field]) => [
  key,
  ...('properties' in field ? Object.keys(field.properties as object) : []),
]);
const PIECES = [
  ...KEYS,
  ': ',
  ':',
  '- ',
  '  ',
  '\t',
  '\n',
  '\r\n',
  '[',
  ']',
  '{',
  '}',
  ', ',
  '"',
  "'",
  '&a ',
  '*a',
  '!t ',
];
const MORE = [
  '# ',
  '|\n',
  '>-\n',
  '---\n',
  '...\n',
  '? ',
  '<<: ',
  '%YAML 1.1\n',
  '@',
  '`',
  '\\',
  '\0',
  'é',
  '1',
  '~',
  'true',
];
const yamlish = fc.array(fc.constantFrom(...PIECES, ...MORE), { maxLength: 60 }).map((pieces) => pieces.join(''));

test('any text, anything like YAML and any bytes are loaded or refused, nothing else', async () => {
  const content = fc.oneof(
    yamlish,
    yamlish.map((text) => `name: x\n${text}`),
    fc.string(),
    fc.uint8Array(),
  );
  await fc.assert(
    fc.asyncProperty(content, async (text) => void (await loaded(text))),
    { numRuns: 300 },
  );
});

test('any JSON is loaded or refused, nothing else', async () => {
  const value = fc.jsonValue({ maxDepth: 3 });
  const object = fc.dictionary(fc.oneof(fc.constantFrom(...KEYS, '__proto__'), fc.string()), value);
  await fc.assert(
    fc.asyncProperty(object, async (json) => void (await loaded(JSON.stringify({ ...json, name: 'x' })))),
    { numRuns: 200 },
  );
});

const word = fc.stringMatching(/^[a-z][a-z0-9_*:-]{0,12}$/);
const words = fc.uniqueArray(word, { maxLength: 5 });
const settings = fc.record(
  {
    kernel: fc.oneof(
      fc.constantFrom('auto', 'running', 'failsafe'),
      fc.record({ package: word }),
      fc.record({ image: word.map((name) => `/boot/${name}`), modules: word.map((name) => `/lib/modules/${name}`) }),
    ),
    runtime: fc.constantFrom('node', 'bun'),
    drivers: fc.record({ sets: words, include: words, exclude: words }, { requiredKeys: [] }),
    tools: fc.record({ sets: words, include: words }, { requiredKeys: [] }),
    mountlist: fc.oneof(fc.constantFrom('host', 'none'), fc.record({ file: word.map((name) => `/root/${name}`) })),
    restore: fc.record({ mode: fc.constantFrom(...RESTORE_MODES), source: fc.option(word) }, { requiredKeys: [] }),
    boot: fc.record({ timeout: fc.integer({ min: 0, max: 3600 }), append: words }, { requiredKeys: [] }),
    budget: fc.record({ ram: fc.option(fc.integer({ min: 1 })) }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);

test('what a valid profile says is what comes out, and what it does not say is as in its base', async () => {
  await fc.assert(
    fc.asyncProperty(settings, settings, async (baseSays, ownSays) => {
      writeFileSync(base, JSON.stringify({ name: 'base', ...baseSays }));
      const inherited: Record<string, unknown> = { ...(await loadProfile(base)) };
      const profile = await loaded(JSON.stringify({ name: 'own', extends: './base.yaml', ...ownSays }));
      const expected: Record<string, unknown> = { ...inherited, name: 'own', file: own };
      for (const [key, value] of Object.entries(ownSays)) {
        const section = !['kernel', 'mountlist', 'runtime'].includes(key);
        expected[key] = section ? { ...(inherited[key] as object), ...(value as object) } : value;
      }
      expect({ ...profile, where: undefined }).toEqual({ ...expected, where: undefined });
    }),
    { numRuns: 100 },
  );
});
