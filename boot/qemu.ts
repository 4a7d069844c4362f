import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa, type ResultPromise } from 'execa';
import { log } from '../builder/log.ts';
import { type Scratch, scratch } from '../builder/scratch.ts';
import { MindiError } from '../contract/error.ts';
import { readable } from './console.ts';
import type { MachineType, NetworkCard } from './controllers.ts';
import { qemuArguments } from './qemu-arguments.ts';

/** `secureboot`: UEFI that starts only what Microsoft's keys, or those of a shim they signed, vouch for. */
export type Firmware = 'bios' | 'uefi' | 'secureboot';
export type Attachment = 'cdrom' | 'usb';

export interface MachineOptions {
  /** MiB; 512 when not given. */
  memory?: number;
  /** q35 when not given. */
  machine?: MachineType;
  firmware?: Firmware;
  /** The image the machine starts from, never written to. */
  medium?: { path: string; as: Attachment };
  /** Kernel and initrd to start without any boot loader. */
  direct?: { kernel: string; initrd: string; append: string };
  /** Disk images, raw or qcow2, written to by the machine; `disk.img:megasas` is behind that one of CONTROLLERS. */
  drives?: readonly string[];
  /** Network cards by their names in NICS; one of virtio when not given. */
  nics?: readonly string[];
  /** The network card it starts from, instead of those. */
  card?: NetworkCard;
  /** More `-device` arguments, e.g. `megasas,id=s0`. */
  devices?: readonly string[];
  /** false: a machine without a serial port, whose console stays empty. */
  serial?: boolean;
  /** Anything else for QEMU's command line. */
  more?: readonly string[];
}

const PROGRAM = 'qemu-system-x86_64';

/**
 * Starts a virtual machine (software emulation) whose serial port and QMP monitor are ours.
 * @throws MindiError `tool.missing` without QEMU or OVMF, `qemu.failed` when QEMU refuses its arguments
 */
export async function startMachine(options: MachineOptions): Promise<Machine> {
  const work = await scratch('boot');
  try {
    return await new Machine(work, await qemuArguments(options, work.path)).connect();
  } catch (error) {
    await work[Symbol.asyncDispose]();
    throw error;
  }
}

export class Machine {
  /** Where the console's whole text is, as long as the machine is not stopped (or was stopped with keepLog). */
  readonly logFile: string;
  /** Milliseconds on the clock of performance.now() when QEMU was started. */
  readonly started: number;
  /** Everything the serial console has said, escape sequences included. */
  console = '';
  readonly #work: Scratch;
  readonly #process: ResultPromise<{ reject: false; buffer: false; stdin: 'pipe'; stdout: 'pipe'; stderr: 'pipe' }>;
  readonly #server: Server;
  readonly #waiting = new Set<() => void>();
  readonly #replies: ((reply: QmpReply) => void)[] = [];
  #qmp: Socket | undefined;
  #stderr = '';
  #wakeSoon: NodeJS.Timeout | undefined;
  #ended = false;
  #endedBy: string | undefined;

  constructor(work: Scratch, args: readonly string[]) {
    this.#work = work;
    this.logFile = join(work.path, 'console.log');
    const socket = join(work.path, 'qmp');
    const monitor = ['-chardev', `socket,id=qmp,path=${socket}`, '-mon', 'chardev=qmp,mode=control'];
    this.#server = createServer().listen(socket);
    this.started = performance.now();
    log(`start ${JSON.stringify([PROGRAM, ...args])}`);
    this.#process = execa(PROGRAM, [...args, ...monitor], {
      reject: false,
      buffer: false,
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const decoder = new StringDecoder('utf8');
    this.#process.stdout.on('data', (chunk: Buffer) => this.#hear(decoder.write(chunk)));
    this.#process.stderr.on('data', (chunk: Buffer) => {
      this.#stderr += chunk;
    });
    this.#process.stdin.on('error', () => {});
    this.#process.then(() => this.#end());
  }

  /** Waits for QEMU's monitor. */
  async connect(): Promise<this> {
    try {
      this.#talkQmp(await Promise.race([once(this.#server, 'connection'), this.#process.then(() => [])]));
      await this.qmp('qmp_capabilities');
      return this;
    } catch (error) {
      const { cause } = await this.#process;
      await this.stop();
      throw this.#ended ? this.#failure(cause) : error;
    }
  }

  /** The console's text as a person reads it, see `readable`. */
  get text(): string {
    return readable(this.console);
  }

  /** Whether QEMU runs; false after a power-off of the machine, too. */
  get alive(): boolean {
    return !this.#ended;
  }

  /** Why it stopped, in QEMU's words: `guest-shutdown` switched itself off, `guest-reset` restarted; see ShutdownCause. */
  get endedBy(): string | undefined {
    return this.#endedBy;
  }

  /**
   * Waits until `look` finds something in the console's text.
   * @param what what is waited for, in the words of an error message
   * @throws MindiError `boot.timeout` after `seconds`, `boot.ended` when the machine stops first
   */
  async waitFor<T>(what: string, look: (text: string) => T | undefined, seconds: number): Promise<T> {
    const deadline = performance.now() + seconds * 1000;
    for (;;) {
      const found = look(this.text);
      if (found !== undefined) return found;
      if (this.#ended) throw this.#unmet('boot.ended', `the machine stopped before ${what} came`);
      const left = deadline - performance.now();
      if (left <= 0) throw this.#unmet('boot.timeout', `${what} did not come within ${seconds} s`);
      await this.change(left);
    }
  }

  /** Waits for words on the console. Returns what matched. */
  async waitForText(words: string | RegExp, seconds: number): Promise<string> {
    const find = (text: string) =>
      typeof words === 'string' ? (text.includes(words) ? words : undefined) : words.exec(text)?.[0];
    return this.waitFor(typeof words === 'string' ? JSON.stringify(words) : String(words), find, seconds);
  }

  /** Waits until the machine has switched itself off. */
  async waitForEnd(seconds: number): Promise<void> {
    const deadline = performance.now() + seconds * 1000;
    while (!this.#ended && performance.now() < deadline) await this.change(deadline - performance.now());
    if (!this.#ended) throw this.#unmet('boot.timeout', `the machine still runs after ${seconds} s`);
  }

  /** Types on the serial console. Enter is `\r`. */
  type(text: string): void {
    this.#process.stdin.write(text);
  }

  /** Presses keys of the keyboard, one after the other, by QEMU's names: `ret`, `down`, `f1`, `ctrl-alt-delete`. */
  async key(...names: string[]): Promise<void> {
    for (const name of names) {
      const keys = name.split('-').map((data) => ({ type: 'qcode', data }));
      await this.qmp('send-key', { keys, 'hold-time': KEY_HELD });
      await sleep(2 * KEY_HELD);
    }
  }

  /** Writes what is on the screen to a PNG file. */
  async screenshot(path: string): Promise<void> {
    await this.qmp('screendump', { filename: path, format: 'png' });
  }

  /** Runs a command of QEMU's monitor. */
  async qmp(execute: string, args: object = {}): Promise<unknown> {
    const { promise, resolve } = Promise.withResolvers<QmpReply>();
    if (this.#ended) resolve(GONE);
    else this.#replies.push(resolve);
    this.#qmp?.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    const { error, return: result } = await promise;
    if (error) throw new MindiError(`QEMU: ${error.desc}`, { code: 'qemu.failed', exitCode: 70 });
    return result;
  }

  /** Ends QEMU and removes what it needed, except for the console's log when that is to be kept. */
  async stop({ keepLog = false } = {}): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#process;
    this.#qmp?.destroy();
    this.#server.close();
    if (!keepLog) return this.#work[Symbol.asyncDispose]();
    this.#work.keep();
    await Promise.all(OURS.map((name) => rm(join(this.#work.path, name), { force: true })));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #talkQmp([socket]: Socket[]): void {
    let pending = '';
    this.#qmp = socket?.setEncoding('utf8').on('error', () => {});
    this.#qmp?.on('data', (text: string) => {
      const lines = (pending + text).split('\n');
      pending = lines.pop() ?? '';
      for (const line of lines) this.#heed(JSON.parse(line) as QmpReply);
    });
  }

  #hear(text: string): void {
    this.console += text;
    this.#wakeSoon ??= setTimeout(() => {
      this.#wakeSoon = undefined;
      this.#wake();
    }, LULL);
  }

  #heed(message: QmpReply): void {
    if (message.event === 'SHUTDOWN') this.#endedBy = message.data?.reason;
    if (message.event || message.QMP) return;
    this.#replies.shift()?.(message);
  }

  #end(): void {
    this.#ended = true;
    for (const reply of this.#replies.splice(0)) reply(GONE);
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Resolves at the console's next output, at the machine's end, or after `milliseconds`. */
  change(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, milliseconds);
      this.#waiting.add(wake);
    });
  }

  #unmet(code: string, message: string): MindiError {
    const said = this.text.trimEnd().split('\n').slice(-LAST_LINES);
    const tail = said.join('\n') ? `; the console's last lines:\n${said.map((line) => `  | ${line}`).join('\n')}` : '';
    return new MindiError(`${message}${tail || '; the console stayed empty'}`, { code, exitCode: 1 });
  }

  #failure(cause: unknown): MindiError {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return missingQemu();
    return new MindiError(`QEMU did not start: ${this.#stderr.trim() || String(cause)}`, {
      code: 'qemu.failed',
      cause,
    });
  }
}

const LAST_LINES = 25;
/** Milliseconds a key is down; before it is up again, pressing it once more does nothing. */
const KEY_HELD = 80;
/** Milliseconds in which output is collected before anyone looks at it: a console speaks one character at a time. */
const LULL = 20;
const OURS = ['qmp', 'variables.fd'];

const GONE: QmpReply = { error: { desc: 'the machine has stopped' } };

interface QmpReply {
  return?: unknown;
  error?: { desc: string };
  event?: string;
  data?: { reason?: string };
  QMP?: object;
}

function missingQemu(): MindiError {
  return new MindiError(`the program ${PROGRAM} is not installed`, {
    code: 'tool.missing',
    hint: 'Install the package qemu-system-x86 (Fedora: qemu-system-x86-core), or run `mindi doctor`.',
  });
}
