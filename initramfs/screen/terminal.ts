import { PassThrough, Writable } from 'node:stream';
import { type Console, usually } from '../consoles.ts';
import { log } from '../log.ts';
import type { Loan, Word } from './lending.ts';

/** A terminal that was lent to the menu: what the questions read from and write to. Nothing ever waits for it. */
export class Terminal {
  readonly name: string;
  /** Numbered questions, a line each, without any escape sequence. */
  readonly plain: boolean;
  /** What is typed. */
  readonly keys = new PassThrough();
  /** Where it is shown; `resize` has the question there drawn again where it changed. */
  readonly screen: Writable & { columns: number; rows: number };
  /** Set while a question is shown that has messages for people below it; else they are printed. */
  redraw: (() => void) | null = null;
  /** Said below the next question on this terminal alone; '' for nothing. */
  note = '';
  readonly #loan: Loan;
  readonly #console: Console;

  /** @param keep takes every message for people, to show it below questions */
  constructor(loan: Loan, console: Console, plain: boolean, keep: (text: string) => void) {
    this.name = loan.name;
    this.plain = plain;
    this.#loan = loan;
    this.#console = console;
    const write = (chunk: Buffer, _: unknown, done: () => void) => {
      console.write(chunk.toString());
      done();
    };
    this.screen = Object.assign(new Writable({ write }), { columns: 80, rows: 25 });
    loan.keys.on('data', (bytes: Buffer) => this.#type(bytes));
    console.progressAs = () => (this.redraw ? 'none' : plain ? 'lines' : 'over');
    console.heed = (text) => {
      keep(text);
      if (this.redraw) this.redraw();
      else console.write(text);
    };
  }

  write(text: string): void {
    this.#console.write(text);
  }

  /** Forgets what was typed before anything was asked. */
  forgetKeys(): void {
    while (this.keys.read() !== null);
  }

  giveBack(word: Word): void {
    this.#console.heed = null;
    this.#console.progressAs = usually(this.name);
    this.#loan.giveBack(word);
  }

  #type(bytes: Buffer): void {
    try {
      this.#console.revive();
    } catch (error) {
      log(`${this.name} cannot be written: ${(error as Error).message}`);
    }
    this.keys.write(bytes);
  }
}
