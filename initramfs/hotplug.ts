import type { Boot } from './boot.ts';
import { coldplug, forgetDevices } from './coldplug.ts';
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
    await coldplug(boot);
    if (boot.medium === null && boot.config.stage2?.where === 'medium') await tryMedium(boot, boot.config.stage2);
    boot.modules.rest();
  }
}
