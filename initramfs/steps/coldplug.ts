import type { Step } from '../boot.ts';
import { coldplug } from '../coldplug.ts';

/** Loads the modules the machine's devices ask for, until no more appear. */
export const coldplugStep: Step = { name: 'devices', run: coldplug };
