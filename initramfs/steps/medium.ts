import type { SecondStage } from '../../contract/rescue-config.ts';
import { type Boot, problem, type Step, tell } from '../boot.ts';
import { loadForNewDevices, storageOnItsWay } from '../coldplug.ts';
import { candidates } from '../medium.ts';
import { placedBefore, takeFromInitrd, tryMedium } from '../second-stage.ts';
import { deviceEvent, eventNumber } from '../settle.ts';
import { checkTrust } from '../trust.ts';

/** Milliseconds without any device event after which a medium that is not there is given up, and the longest wait. */
const PATIENCE = 4000;
const LIMIT = 30_000;

/** Finds the medium among disks and discs and brings its second stage in. */
export const medium: Step = {
  name: 'medium and second stage',
  async run(boot) {
    const stage = boot.config.stage2;
    if (!stage) return;
    const before = boot.problems.length;
    boot.medium ??= placedBefore(stage);
    if (boot.medium !== null) return checkTrust(boot);
    if (stage.where === 'initrd') await takeFromInitrd(boot, stage);
    else await waitForMedium(boot, stage);
    if (boot.medium === null && boot.problems.length === before) problem(boot, notFound());
    if (boot.medium === null) await checkTrust(boot);
  },
};

function notFound(): string {
  const devices = candidates().map(({ device }) => device);
  const looked = devices.length > 0 ? `It is not on ${devices.join(', ')}` : 'There is no disk and no disc';
  return `The medium this boot image belongs to was not found. ${looked}; only the tools and drivers of the boot image are here.`;
}

async function waitForMedium(boot: Boot, stage: SecondStage): Promise<void> {
  const asked = boot.parameters.wait;
  const end = performance.now() + (asked === null ? LIMIT : asked * 1000);
  let told = false;
  while (true) {
    const before = eventNumber();
    await loadForNewDevices(boot);
    await tryMedium(boot, stage);
    const left = end - performance.now();
    if (boot.medium !== null || left <= 0) return;
    if (!told) tell(boot, 'waiting for the medium');
    told = true;
    const patience = asked !== null || storageOnItsWay() ? left : Math.min(left, PATIENCE);
    if (!(await deviceEvent(before, patience))) return;
  }
}
