import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { BootParameters } from '../contract/boot-request.ts';
import { HOOKS } from '../contract/rescue-config.ts';
import { list } from './devices.ts';
import { log } from './log.ts';
import { complaint, run } from './process.ts';
import { type Facts, restoreEnvironment } from './restore-environment.ts';

const FOLDERS = { pre: HOOKS.before, post: HOOKS.after };
/** Seconds one script may take. */
const LIMIT = 3600;

/**
 * Runs what shall run before or after the restore: the script of the boot parameter, then the folder's in the order of
 * their names. What they say is in the log. docs/hooks.md
 * @returns null, or which one failed and how, a sentence; those behind it were not run
 */
export async function runHooks(
  facts: Facts & { parameters: BootParameters },
  when: 'pre' | 'post',
): Promise<string | null> {
  const folder = FOLDERS[when];
  const asked = facts.parameters[when];
  const scripts = [...(asked ? [asked] : []), ...list(folder).map((name) => join(folder, name))];
  for (const script of scripts) {
    const failure = await runHook(facts, script);
    if (failure) return `The ${when} script ${script} failed: ${failure}.`;
  }
  return null;
}

async function runHook(facts: Facts, script: string): Promise<string | null> {
  try {
    accessSync(script, constants.X_OK);
  } catch {
    return 'there is no such program';
  }
  const result = await run(script, [], { limit: LIMIT, env: restoreEnvironment(facts) });
  for (const line of result.stdout.trimEnd().split('\n').filter(Boolean)) log(`  | ${line}`);
  return result.code === 0 ? null : complaint(result);
}
