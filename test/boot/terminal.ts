import headless from '@xterm/headless';
import type { Machine } from '../../boot/qemu.ts';

/** What a terminal of 80 columns and 25 lines shows that has heard everything the serial console said. */
export async function shown(machine: Machine): Promise<string> {
  const terminal = new headless.Terminal({ cols: 80, rows: 25, allowProposedApi: true, convertEol: false });
  await new Promise<void>((resolve) => terminal.write(machine.console, resolve));
  const { active } = terminal.buffer;
  const lines = Array.from({ length: 25 }, (_, i) => active.getLine(active.baseY + i)?.translateToString(true) ?? '');
  terminal.dispose();
  return lines.join('\n').trimEnd();
}

/** Waits until the terminal shows something. Returns all it shows then. */
export async function waitForScreen(machine: Machine, what: string | RegExp, seconds: number): Promise<string> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const screen = await shown(machine);
    if (typeof what === 'string' ? screen.includes(what) : what.test(screen)) return screen;
    if (performance.now() > deadline) throw new Error(`${what} is not on the screen:\n${screen}`);
    await machine.change(deadline - performance.now());
  }
}
