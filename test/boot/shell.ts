import type { Machine } from '../../boot/qemu.ts';

/** Longer than anything takes under software emulation on a busy machine. */
export const PATIENCE = 120;
export const CONSOLES = 'console=tty0 console=ttyS0,115200';

let asked = 0;

/** Types a command on the serial console and gives what it printed. */
export async function shell(machine: Machine, command: string, patience = PATIENCE): Promise<string> {
  asked += 1;
  const [begin, end] = [`begin-${asked}`, `end-${asked}`];
  // The quotes keep the echo of what is typed from looking like what is printed.
  machine.type(`echo 'begin'-${asked}; ${command}; echo 'end'-${asked}\r`);
  const said = new RegExp(`^${begin}\\n([\\s\\S]*?)^${end}$`, 'm');
  return machine.waitFor(command, (text) => said.exec(text)?.[1]?.trim(), patience);
}

/** Waits for words that come after what is on the console now. */
export function comes(machine: Machine, words: string): Promise<true> {
  const from = machine.text.length;
  return machine.waitFor(words, (text) => text.slice(from).includes(words) || undefined, PATIENCE);
}
