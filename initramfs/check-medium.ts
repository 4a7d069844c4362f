import { readFileSync, writeFileSync } from 'node:fs';
import { parseBootParameters } from '../contract/command-line.ts';
import type { CheckReport } from '../contract/report.ts';
import { PATHS, type RescueConfig } from '../contract/rescue-config.ts';
import type { KernelModules } from './kernel-modules.ts';
import { log } from './log.ts';
import { candidates, look, unmountMedium } from './medium.ts';
import { type CheckProgress, checkMedium, knownSums } from './self-check.ts';

/** Finds the medium this boot image belongs to, also one whose second stage is damaged, and checks the whole of it. */
export async function findAndCheck(
  config: RescueConfig,
  modules: KernelModules,
  progress: CheckProgress,
): Promise<CheckReport> {
  const id = config.stage2?.where === 'medium' ? config.stage2.sha256 : config.manifest?.sha256;
  const mounted = readFileSync('/proc/mounts', 'utf8').includes(` ${PATHS.medium} `);
  if (!mounted && !(id && (await mountOurs(id, modules)))) return NOT_FOUND;
  forgetWhatWasRead();
  try {
    return await checkMedium(PATHS.medium, knownSums(config), progress);
  } finally {
    if (!mounted) await unmountMedium();
  }
}

const NOT_FOUND: CheckReport = {
  whole: false,
  files: 0,
  bytes: 0,
  sentences: ['The medium this boot image belongs to was not found, so that it was not checked.'],
};

async function mountOurs(sha256: string, modules: KernelModules): Promise<boolean> {
  const { iso } = parseBootParameters(readFileSync('/proc/cmdline', 'utf8'));
  for (const { device } of candidates()) if ((await look(device, { sha256 }, modules, iso)).found) return true;
  return false;
}

/** Everything is to come from the medium and not from memory, where it was right once. */
function forgetWhatWasRead(): void {
  try {
    writeFileSync('/proc/sys/vm/drop_caches', '1');
  } catch (error) {
    log(`the page cache stays: ${(error as Error).message}`);
  }
}
