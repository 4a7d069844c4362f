import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** A new folder that is gone after the tests of this file, or of the `describe` it is made in. */
export function temporaryFolder(name: string): string {
  const path = mkdtempSync(join(tmpdir(), `mindi-${name}-`));
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
