import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { MindiError } from '../contract/error.ts';
import { type Located, plain } from '../contract/settings/yaml.ts';
import { cacheDirectory, cached, hashOf } from './cache.ts';

/**
 * What is wrong with a file by its schema, as `check` tells it. That nothing was is remembered: to load ajv and have it
 * compile the schemas takes a twelfth of a second of every command.
 * @param kind prefix of the error codes, `profile`
 */
export async function checked(root: Located, schema: object, kind: string): Promise<MindiError[]> {
  const key = hashOf([schema, plain(root)]);
  if (existsSync(cacheDirectory('checked', key))) return [];
  const { check } = await import('../contract/settings/check.ts');
  const problems = check(root, schema, kind);
  // Where the cache cannot be written, it is only slower.
  if (problems.length === 0) await cached('checked', key, (path) => writeFile(path, '')).catch(() => {});
  return problems;
}
