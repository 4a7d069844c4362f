import type { Step } from '../boot.ts';
import { checkTrust } from '../trust.ts';

/** Whether the medium is what was built: everything that could destroy something comes after it. */
export const trust: Step = { name: 'trust', run: checkTrust };
