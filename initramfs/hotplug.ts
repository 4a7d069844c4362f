import { type Boot, tell } from './boot.ts';
import { forgetDevices, settleDevices } from './coldplug.ts';
import { writeMissing } from './missing-file.ts';
import { startWantedSsh } from './remote/start.ts';
import { whatIsMissing } from './report.ts';
import { requestsSize } from './requests.ts';
import { tryMedium } from './second-stage.ts';
import { deviceEvent, eventNumber } from './settle.ts';
import { network } from './steps/network.ts';
import { takeLateSticks } from './stick/late.ts';

/** Milliseconds between looks at what is new. */
const LOOK_EVERY = 1000;

/**
 * After ready: drivers for what is plugged in later, the medium when it comes late, what is on sticks, and a word about what has no driver.
 * Never returns.
 */
export async function watchDevices(boot: Boot): Promise<never> {
  let last = eventNumber();
  let requests = requestsSize();
  while (true) {
    const event = await deviceEvent(last, LOOK_EVERY, LOOK_EVERY);
    if (event) {
      last = eventNumber();
      await takeNewDevices(boot);
    }
    if (!event && requestsSize() === requests) continue;
    requests = requestsSize();
    for (const line of writeMissing(whatIsMissing(boot))) tell(boot, `MISSING: ${line}`);
  }
}

async function takeNewDevices(boot: Boot): Promise<void> {
  forgetDevices(boot);
  await settleDevices(boot);
  await takeLateMedium(boot);
  await takeLateSticks(boot);
  boot.modules.rest();
  boot.refresh();
}

async function takeLateMedium(boot: Boot): Promise<void> {
  const stage = boot.config.stage2;
  if (boot.medium !== null || stage?.where !== 'medium') return;
  await tryMedium(boot, stage);
  if (boot.medium === null) return;
  await settleDevices(boot);
  // Its drivers and programs were missing before.
  if (!boot.network) await network.run(boot);
  await startWantedSsh(boot);
  tell(boot, 'the second stage is here now: all tools and drivers can be used');
}
