import type { SecondStage } from '../../contract/rescue-config.ts';
import { type Boot, problem, type Step } from '../boot.ts';
import { whenThere } from '../late.ts';
import { candidates } from '../medium.ts';
import { placedBefore, takeFromInitrd, tryMedium } from '../second-stage.ts';
import { checkTrust } from '../trust.ts';

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
  const look = async () => {
    await tryMedium(boot, stage);
    return boot.medium;
  };
  await whenThere(boot, { what: 'the medium', look });
}
