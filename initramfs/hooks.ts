import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { Boot } from './boot.ts';
import { list } from './devices.ts';
import { log } from './log.ts';
import { complaint, run } from './process.ts';

/** Folders pre.d and post.d, which a profile fills. */
const FOLDER = '/etc/mindi/hooks';
/** Seconds one script may take. */
const LIMIT = 3600;

/**
 * Runs what shall run before or after the restore: the script of the boot parameter, then the folder's in the order of
 * their names. What they say is in the log. docs/hooks.md
 * @returns null, or which one failed and how, a sentence; those behind it were not run
 */
export async function runHooks(boot: Boot, when: 'pre' | 'post'): Promise<string | null> {
  const folder = join(FOLDER, `${when}.d`);
  const asked = boot.parameters[when];
  const scripts = [...(asked ? [asked] : []), ...list(folder).map((name) => join(folder, name))];
  for (const script of scripts) {
    const failure = await runHook(boot, script);
    if (failure) return `The ${when} script ${script} failed: ${failure}.`;
  }
  return null;
}

async function runHook({ mode, medium, config }: Boot, script: string): Promise<string | null> {
  try {
    accessSync(script, constants.X_OK);
  } catch {
    return 'there is no such program';
  }
  const env = {
    MINDI_MODE: mode,
    MINDI_NAME: config.name,
    MINDI_MEDIUM: medium ?? '',
    MINDI_SOURCE: '/run/mindi/source',
  };
  const result = await run(script, [], { limit: LIMIT, env });
  for (const line of result.stdout.trimEnd().split('\n').filter(Boolean)) log(`  | ${line}`);
  return result.code === 0 ? null : complaint(result);
}
