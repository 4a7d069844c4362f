import { execa } from 'execa';

/** A real terminal of 80 x 25: what a person types goes in, what the person sees comes out. */
export class Terminal {
  readonly #socket: string;

  private constructor(socket: string) {
    this.#socket = socket;
  }

  /** Runs a command line of the shell in it, in `cwd`. */
  static async run(command: string, cwd: string): Promise<Terminal> {
    const terminal = new Terminal(`mindi-test-${process.pid}-${performance.now()}`);
    // The command's last words stay on the screen.
    const whole = `${command}; echo "exit status $?"; exec sleep 600`;
    await terminal.#tmux(['-f', '/dev/null', 'new-session', '-d', '-x', '80', '-y', '25', '-c', cwd, whole]);
    return terminal;
  }

  /** The screen's text, without blanks at the ends of lines. */
  async screen(): Promise<string> {
    return await this.#tmux(['capture-pane', '-p']);
  }

  /** Presses keys by tmux's names: `y`, `Enter`, `C-c`. */
  async press(...keys: string[]): Promise<void> {
    await this.#tmux(['send-keys', ...keys]);
  }

  /** Waits until the screen shows it, and gives the screen. */
  async waitFor(words: RegExp, seconds = 20): Promise<string> {
    const end = performance.now() + seconds * 1000;
    for (;;) {
      const screen = await this.screen();
      if (words.test(screen)) return screen;
      if (performance.now() > end) throw new Error(`${words} did not come within ${seconds} s; the screen:\n${screen}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux(['kill-server']);
  }

  async #tmux(args: string[]): Promise<string> {
    const { stdout } = await execa('tmux', ['-L', this.#socket, ...args]);
    return stdout;
  }
}
