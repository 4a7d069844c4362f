import { existsSync } from 'node:fs';
import { problem, type Step, tell } from '../boot.ts';
import { loadKeymap } from '../keymaps.ts';

/** Gives the screen's keyboard the layout asked for. A machine without a screen has none. */
export const keymap: Step = {
  name: 'keymap',
  async run(boot) {
    const name = boot.parameters.keymap ?? boot.config.keymap;
    if (!name || !existsSync('/dev/tty0')) return;
    const wrong = await loadKeymap(name);
    if (wrong) {
      problem(boot, `The keymap ${name} is not used: ${wrong}. The keyboard is American.`);
      return;
    }
    boot.keymap = name;
    tell(boot, `keyboard: ${name}`);
  },
};
