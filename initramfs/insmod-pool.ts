import { type ChildProcess, spawn } from 'node:child_process';
import { BUSYBOX } from './process.ts';

/** Reads `path options` lines and answers each with `exit-code message`. insmod is an applet: the shell forks, it starts no program. */
const SCRIPT = 'while read -r what; do said=$(insmod $what 2>&1); echo $? $said; done';

/** Every module could take this long to find its hardware; a driver that hangs holds up one shell, not the boot. */
const LIMIT = 60_000;

interface Shell {
  child: ChildProcess;
  answer: ((line: string) => void) | undefined;
  text: string;
}

/** Inserts kernel modules through a few long-lived shells, because a new process for each is slow on a slow machine. */
export class InsmodPool {
  readonly #size: number;
  readonly #idle: Shell[] = [];
  readonly #waiting: ((shell: Shell) => void)[] = [];
  #started = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** Inserts the file. Resolves with null when it is in, else with what insmod said. */
  async insert(path: string, options: readonly string[]): Promise<string | null> {
    const shell = await this.#take();
    const line = await ask(shell, [path, ...options].join(' '));
    if (line === null) {
      shell.child.kill('SIGKILL');
      this.#started -= 1;
      this.#replace();
      return `no answer within ${LIMIT / 1000} seconds`;
    }
    this.#giveBack(shell);
    const [code, ...said] = line.split(' ');
    if (code === '0') return null;
    const message = said.join(' ').replace(/^insmod: can't insert '[^']*': /, '');
    return message === 'File exists' ? null : message;
  }

  /** Ends the shells. */
  close(): void {
    for (const shell of this.#idle.splice(0)) shell.child.stdin?.end();
    this.#started = 0;
  }

  async #take(): Promise<Shell> {
    const shell = this.#idle.pop();
    if (shell) return shell;
    if (this.#started < this.#size) return this.#start();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #start(): Shell {
    this.#started += 1;
    const child = spawn(BUSYBOX, ['sh', '-c', SCRIPT], { stdio: ['pipe', 'pipe', 'ignore'] });
    const shell: Shell = { child, answer: undefined, text: '' };
    child.stdin.on('error', () => {});
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      shell.text += text;
      const end = shell.text.indexOf('\n');
      if (end < 0) return;
      const line = shell.text.slice(0, end);
      shell.text = shell.text.slice(end + 1);
      shell.answer?.(line);
    });
    const gone = () => shell.answer?.('1 the shell that inserts modules ended');
    child.on('error', gone).on('close', gone);
    return shell;
  }

  #giveBack(shell: Shell): void {
    if (shell.child.exitCode !== null) {
      this.#started -= 1;
      this.#replace();
      return;
    }
    const next = this.#waiting.shift();
    if (next) next(shell);
    else this.#idle.push(shell);
  }

  #replace(): void {
    const next = this.#waiting.shift();
    if (next) next(this.#start());
  }
}

function ask(shell: Shell, line: string): Promise<string | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), LIMIT);
    shell.answer = (answer) => {
      clearTimeout(timer);
      shell.answer = undefined;
      resolve(answer);
    };
    shell.child.stdin?.write(`${line}\n`);
  });
}
