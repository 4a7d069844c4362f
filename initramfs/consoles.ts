import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { log } from './log.ts';
import { run } from './process.ts';

const CONSOLES = '/usr/lib/mindi/consoles';
/** Milliseconds between attempts to write to a console that is busy, and how long it may take nothing at all. */
const RETRY = 10;
const PATIENCE = 3000;

/** How many lines are remembered for whoever sees no console. */
const LATELY = 12;
/** Milliseconds between two progress lines on a serial console, which takes long for one and cannot take it back. */
const SERIAL_PROGRESS = 5000;

/** One console, written without ever blocking: a serial line may take nothing (flow control, no cable, no UART). */
export class Console {
  readonly name: string;
  /** Takes what is said to all, while this one shows something of its own. */
  heed: ((text: string) => void) | null = null;
  /** How progress is shown: over the line before, as lines now and then, or not at all, because a question stands there. */
  progressAs: () => 'over' | 'lines' | 'none';
  #fd = -1;
  /** Whether the cursor stands behind a progress line, and when one was written last. */
  #inProgress = false;
  #progressAt = -SERIAL_PROGRESS;
  #queue: Buffer = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;
  #lastProgress = 0;

  constructor(name: string) {
    this.name = name;
    this.progressAs = usually(name);
    this.revive();
  }

  /** Opens it again where it was left alone: someone sits there after all. */
  revive(): void {
    if (this.#fd >= 0) return;
    this.#queue = Buffer.alloc(0);
    this.#fd = this.#open();
  }

  /** Whole lines. */
  say(text: string): void {
    if (this.#inProgress) this.write('\r\x1b[K');
    this.#inProgress = false;
    if (this.heed) this.heed(text);
    else this.write(text);
  }

  /** How far it has come: one line that the next one replaces; on a serial console a line now and then. */
  progress(line: string): void {
    const as = this.progressAs();
    const now = performance.now();
    if (as === 'none' || (as === 'lines' && now - this.#progressAt < SERIAL_PROGRESS)) return;
    this.#progressAt = now;
    this.#inProgress = as === 'over';
    this.write(as === 'over' ? `\r${line}\x1b[K` : `${line}\n`);
  }

  write(text: string): void {
    if (this.#fd < 0) return;
    if (this.#queue.length === 0) this.#lastProgress = performance.now();
    this.#queue = Buffer.concat([this.#queue, Buffer.from(text)]);
    this.#flush();
  }

  get idle(): boolean {
    return this.#fd < 0 || this.#queue.length === 0;
  }

  close(): void {
    clearTimeout(this.#timer);
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    while (!this.idle) {
      const written = this.#attempt();
      if (written === 0) {
        this.#wait();
        return;
      }
      this.#queue = this.#queue.subarray(written);
      this.#lastProgress = performance.now();
    }
  }

  #open(): number {
    return openSync(`/dev/${this.name}`, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
  }

  /** Bytes taken; 0 when it is busy. A console that fails is closed. */
  #attempt(): number {
    try {
      return writeSync(this.#fd, this.#queue);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'EIO') return this.#attemptAnew();
      if (code !== 'EAGAIN') this.#abandon(message);
      return 0;
    }
  }

  /** The kernel hangs a terminal up when the shell on it ends: what was opened before is of no use then. */
  #attemptAnew(): number {
    try {
      closeSync(this.#fd);
      this.#fd = this.#open();
      return writeSync(this.#fd, this.#queue);
    } catch (error) {
      this.#abandon((error as Error).message);
      return 0;
    }
  }

  #wait(): void {
    if (this.#fd < 0) return;
    if (performance.now() - this.#lastProgress > PATIENCE) this.#abandon('it takes no output');
    else this.#timer = setTimeout(() => this.#flush(), RETRY);
  }

  #abandon(why: string): void {
    log(`console ${this.name} is left alone: ${why}`);
    this.close();
  }
}

/** A serial line takes long for a line, and may be a printer or a log. */
export function usually(name: string): Console['progressAs'] {
  const as = isScreen(name) ? 'over' : 'lines';
  return () => as;
}

const isScreen = (name: string) => /^tty\d/.test(name);

/** Every console of the machine: what the kernel was told, and the first UART when there is one. */
export class Consoles {
  #consoles: Console[] = [];
  /** What was written last, the newest last. */
  readonly lately: string[] = [];

  /** Finds them (again: a driver may have brought one since). */
  async open(): Promise<void> {
    const { stdout } = await run(CONSOLES, ['list']);
    const names = stdout.split('\n').filter(Boolean);
    for (const one of this.#consoles) one.close();
    this.#consoles = names.flatMap(openConsole);
    log(`consoles: ${this.names.join(' ') || 'none'}`);
  }

  get names(): string[] {
    return this.#consoles.map((one) => one.name);
  }

  /** Whole lines; the console's own driver turns newlines into what it needs. */
  write(text: string): void {
    this.lately.push(text);
    this.lately.splice(0, this.lately.length - LATELY);
    for (const one of this.#consoles) one.say(text);
  }

  /** A page that takes the place of what is on the screens; serial lines keep what they have. */
  page(lines: readonly string[]): void {
    for (const one of this.#consoles) if (isScreen(one.name)) one.say(`\x1b[H\x1b[2J${lines.join('\n')}\n`);
  }

  /** One line that says how far something has come. */
  progress(line: string): void {
    for (const one of this.#consoles) one.progress(line);
  }

  /**
   * The console or terminal of that name (`ttyS0`, `pts/0`) by itself.
   * @throws Error of the system when it cannot be opened
   */
  one(name: string): Console {
    const there = this.#consoles.find((console) => console.name === name) ?? new Console(name);
    if (!this.#consoles.includes(there)) this.#consoles.push(there);
    there.revive();
    return there;
  }

  /** A terminal that was none of the machine's consoles is gone. */
  forget(name: string): void {
    for (const gone of this.#consoles.filter((one) => one.name === name)) gone.close();
    this.#consoles = this.#consoles.filter((one) => one.name !== name);
  }

  /** Waits until everything is out or given up. */
  async drain(): Promise<void> {
    while (this.#consoles.some((one) => !one.idle)) await new Promise((resolve) => setTimeout(resolve, RETRY));
  }

  /** The menu or a shell on each, kept alive by process 1; a shell where there is a text in /run/mindi/screen, below it. */
  async giveAway(): Promise<void> {
    await run(CONSOLES, ['open']);
  }
}

function openConsole(name: string): Console[] {
  try {
    return [new Console(name)];
  } catch (error) {
    log(`console ${name} cannot be opened: ${(error as Error).message}`);
    return [];
  }
}
