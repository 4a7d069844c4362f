import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import fs from 'fs-extra';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const PROGRESS = join(import.meta.dirname, '../../cli/progress.ts');
/** Two steps of work, the second with progress; then the result on stdout. */
const PROGRAM = `
import { setTimeout as sleep } from 'node:timers/promises';
import { showing } from '${PROGRESS}';
const result = await showing({ one: 'First', two: 'Second' }, async ({ step, progress, note }) => {
  step('one');
  await sleep(50);
  step('two');
  for (let done = 0; done <= 4; done += 1) { progress('written', done * 20480, 81920); await sleep(60); }
  note('all is well');
  return { fine: true };
});
process.stdout.write(JSON.stringify(result));
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mindi-test-'));
  await fs.writeFile(join(folder, 'program.ts'), PROGRAM);
});
afterAll(() => fs.remove(folder));

/** What is seen on a terminal so many columns wide. */
function onTerminal(columns: number, redirection = ''): string {
  const program = `'${process.execPath}' --conditions=source '${folder}/program.ts'`;
  const command = `stty rows 24 cols ${columns}; ${program} ${redirection}`;
  const seen = execFileSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8', stdio: 'pipe' });
  return stripVTControlCharacters(seen).replaceAll('\r', '');
}

describe('progress on a terminal', () => {
  test('steps with their times and how far they are', () => {
    const seen = onTerminal(80);
    expect(seen).toMatch(/✔ First \[?\d+\.\d\d s/);
    expect(seen).toMatch(/✔ Second \[?\d+\.\d\d s/);
    expect(seen).toContain('written: 60.0 KiB of 80.0 KiB');
    expect(seen).toMatch(/mindi: note: all is well\n\{"fine":true\}$/);
  });

  const PLAIN = /^mindi: First: \d+\.\d\d s\nmindi: Second: \d+\.\d\d s\nmindi: note: all is well\n/;

  test('plain lines where it does not say how wide it is, as serial consoles do', () => {
    expect(onTerminal(0)).toMatch(PLAIN);
  });

  test('the same where stdout goes into a file, which gets nothing of them', () => {
    const out = join(folder, 'out');
    expect(onTerminal(80, `> '${out}'`)).toMatch(PLAIN);
    expect(readFileSync(out, 'utf8')).toBe('{"fine":true}');
  });
});
