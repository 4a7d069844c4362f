import { type Step, tell } from '../boot.ts';
import { findAndCheck } from '../check-medium.ts';
import { showFiles } from '../progress.ts';
import { distrust } from '../trust.ts';

/** Reads the whole medium and compares, when the boot menu's entry or mindi.check asked for it. */
export const check: Step = {
  name: 'self-check',
  async run(boot) {
    if (!boot.parameters.check) return;
    tell(boot, 'reading the whole medium');
    boot.check = await findAndCheck(boot.config, boot.modules, showFiles(boot.consoles));
    for (const sentence of boot.check.sentences) {
      if (boot.check.whole) tell(boot, sentence);
      else distrust(boot, sentence);
    }
  },
};
