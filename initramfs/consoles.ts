import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { log } from './log.ts';
import { run } from './process.ts';

const CONSOLES = '/usr/lib/mindi/consoles';
/** Milliseconds between attempts to write to a console that is busy, and how long it may take nothing at all. */
const RETRY = 10;
const PATIENCE = 3000;

/** One console, written without ever blocking: a serial line may take nothing (flow control, no cable, no UART). */
class Console {
  readonly name: string;
  #fd: number;
  #queue: Buffer = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;
  #lastProgress = 0;

  constructor(name: string) {
    this.name = name;
    this.#fd = openSync(`/dev/${name}`, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
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

  /** Bytes taken; 0 when it is busy. A console that fails is closed. */
  #attempt(): number {
    try {
      return writeSync(this.#fd, this.#queue);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') this.#abandon((error as Error).message);
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

/** Every console of the machine: what the kernel was told, and the first UART when there is one. */
export class Consoles {
  #consoles: Console[] = [];

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
    for (const one of this.#consoles) one.write(text);
  }

  /** Waits until everything is out or given up. */
  async drain(): Promise<void> {
    while (this.#consoles.some((one) => !one.idle)) await new Promise((resolve) => setTimeout(resolve, RETRY));
  }

  /** A shell on each, kept alive by process 1, below the text of /run/mindi/screen. */
  async giveShells(): Promise<void> {
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
