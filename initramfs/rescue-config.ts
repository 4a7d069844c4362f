import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { PATHS, type RescueConfig } from '../contract/rescue-config.ts';

/**
 * What the builder left for us, or what became of it by a stick. A missing or damaged file is a problem, and the boot goes on with nothing asked for.
 */
export function readRescueConfig(problems: string[]): RescueConfig {
  try {
    return JSON.parse(
      readFileSync(existsSync(PATHS.effectiveConfig) ? PATHS.effectiveConfig : PATHS.config, 'utf8'),
    ) as RescueConfig;
  } catch (error) {
    problems.push(`The medium's configuration (${PATHS.config}) cannot be read: ${(error as Error).message}.`);
    return {
      format: 1,
      name: 'unknown',
      generator: 'unknown',
      created: '1970-01-01T00:00:00Z',
      machine: null,
      kernel: release(),
      runtime: 'node',
      stage2: null,
      essential: [],
      restore: { mode: 'expert', source: null },
      keymap: null,
      stick: false,
    };
  }
}

/** For commands, which have no other way to know it. It may hold passwords. */
export function writeEffectiveConfig(config: RescueConfig): void {
  writeFileSync(PATHS.effectiveConfig, JSON.stringify(config), { mode: 0o600 });
}
