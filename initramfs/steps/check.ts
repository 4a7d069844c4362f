import { type Boot, type Step, tell } from '../boot.ts';
import { findAndCheck } from '../check-medium.ts';
import { distrust } from '../trust.ts';

/** Milliseconds between two lines that say how far it has come. */
const TELL_EVERY = 2000;

/** Reads the whole medium and compares, when the boot menu's entry or mindi.check asked for it. */
export const check: Step = {
  name: 'self-check',
  async run(boot) {
    if (!boot.parameters.check) return;
    tell(boot, 'reading the whole medium');
    boot.check = await findAndCheck(boot.config, boot.modules, progress(boot));
    for (const sentence of boot.check.sentences) {
      if (boot.check.whole) tell(boot, sentence);
      else distrust(boot, sentence);
    }
  },
};

function progress(boot: Boot): (path: string, part: number) => void {
  let last = 0;
  return (path, part) => {
    if (performance.now() - last < TELL_EVERY) return;
    last = performance.now();
    tell(boot, `checking ${path}: ${Math.floor(part * 100)} %`);
  };
}
