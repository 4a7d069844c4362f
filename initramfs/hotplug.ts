import { type Boot, tell } from './boot.ts';
import { forgetDevices, settleDevices } from './coldplug.ts';
import { tryMedium } from './second-stage.ts';
import { deviceEvent, eventNumber } from './settle.ts';

const FOR_EVER = Number.POSITIVE_INFINITY;

/** After ready: drivers for what is plugged in later, and the medium when it comes late. Never returns. */
export async function watchDevices(boot: Boot): Promise<never> {
  let last = eventNumber();
  while (true) {
    await deviceEvent(last, FOR_EVER, 1000);
    last = eventNumber();
    forgetDevices(boot);
    await settleDevices(boot);
    await takeLateMedium(boot);
    boot.modules.rest();
  }
}

async function takeLateMedium(boot: Boot): Promise<void> {
  const stage = boot.config.stage2;
  if (boot.medium !== null || stage?.where !== 'medium') return;
  await tryMedium(boot, stage);
  if (boot.medium === null) return;
  await settleDevices(boot);
  tell(boot, 'the second stage is here now: all tools and drivers can be used');
}
