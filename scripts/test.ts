import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Checks that are commands of their own; each counts as one test in the closing line. */
const CHECKS: { name: string; argv: string[] }[] = [
  { name: 'lint', argv: ['node_modules/.bin/biome', 'check', '.'] },
  { name: 'unused code and dependencies', argv: ['node_modules/.bin/knip', '--no-progress'] },
  { name: 'types', argv: ['node_modules/.bin/tsc', '--noEmit'] },
];

/** Which tests run; the default is what CI runs. */
const PROJECTS: Record<string, string[]> = {
  '--quick': ['quick'],
  default: ['quick', 'slow', 'boot'],
  '--all': ['quick', 'slow', 'boot', 'loops'],
};

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

function main(words: string[]): number {
  const option = words.find((word) => word.startsWith('--') && Object.hasOwn(PROJECTS, word)) ?? 'default';
  const filters = words.filter((word) => word !== option);
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  if (filters.length === 0) for (const check of CHECKS) tally[runCheck(check) ? 'passed' : 'failed'] += 1;
  for (const project of PROJECTS[option] ?? []) add(tally, runVitest(['--project', project, ...filters]));
  const skipped = tally.skipped > 0 ? `, ${tally.skipped} skipped` : '';
  console.log(`${tally.passed} passed, ${tally.failed} failed${skipped}`);
  return tally.failed > 0 || tally.passed === 0 ? 1 : 0;
}

function runCheck({ name, argv }: { name: string; argv: string[] }): boolean {
  const started = performance.now();
  const { status } = spawnSync(process.execPath, argv, { stdio: 'inherit' });
  console.log(`${status === 0 ? 'ok' : 'FAILED'}  ${name} (${seconds(started)} s)`);
  return status === 0;
}

/** Runs vitest and counts from its JSON report; a run that dies without one is a failure. */
function runVitest(args: string[]): Tally {
  const folder = mkdtempSync(join(tmpdir(), 'mindi-test-'));
  const report = join(folder, 'report.json');
  const argv = ['node_modules/.bin/vitest', 'run', '--passWithNoTests', '--reporter=default', '--reporter=json'];
  const { status } = spawnSync(process.execPath, ['--conditions=source', ...argv, `--outputFile=${report}`, ...args], {
    stdio: 'inherit',
  });
  try {
    const { numPassedTests, numFailedTests, numPendingTests, success } = JSON.parse(readFileSync(report, 'utf8'));
    const unexplained = (status !== 0 || !success) && numFailedTests === 0 ? 1 : 0;
    return { passed: numPassedTests, failed: numFailedTests + unexplained, skipped: numPendingTests };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function add(tally: Tally, more: Tally): void {
  for (const key of ['passed', 'failed', 'skipped'] as const) tally[key] += more[key];
}

const seconds = (started: number) => ((performance.now() - started) / 1000).toFixed(1);

process.exitCode = main(process.argv.slice(2));
