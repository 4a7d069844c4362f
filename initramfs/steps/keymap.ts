import { existsSync, readFileSync } from 'node:fs';
import { type Boot, problem, type Step, tell } from '../boot.ts';
import { busybox, complaint, type ProcessResult, run } from '../process.ts';

/** Binary keymaps as `busybox dumpkmap` and `loadkeys --bkeymap` write them. */
const BINARY_KEYMAPS = '/usr/share/mindi/keymaps';
const LOADKEYS = ['/usr/bin/loadkeys', '/usr/sbin/loadkeys'];

/** Gives the screen's keyboard the layout asked for. A machine without a screen has none. */
export const keymap: Step = {
  name: 'keymap',
  async run(boot) {
    const name = boot.parameters.keymap ?? boot.config.keymap;
    if (!name || !existsSync('/dev/tty0')) return;
    const result = await load(name);
    if (result?.code === 0) tell(boot, `keyboard: ${name}`);
    else
      problem(
        boot,
        `The keymap ${name} is not used: ${result ? complaint(result) : missing(boot)}. The keyboard is American.`,
      );
  },
};

async function load(name: string): Promise<ProcessResult | null> {
  const binary = `${BINARY_KEYMAPS}/${name}.bmap`;
  if (!/^[\w.+-]+$/.test(name)) return null;
  if (existsSync(binary)) return busybox(['loadkmap'], { input: readFileSync(binary) });
  const loadkeys = LOADKEYS.find((path) => existsSync(path));
  return loadkeys ? run(loadkeys, ['-q', '-C', '/dev/tty0', name], { limit: 10 }) : null;
}

function missing(boot: Boot): string {
  return boot.medium === null && boot.config.stage2 ? 'the second stage would have it' : 'it is not on the medium';
}
