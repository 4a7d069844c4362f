import type { Consoles } from '../consoles.ts';
import { log } from '../log.ts';
import { type Choice, type Person, Unanswered } from '../person.ts';
import { type Keyed, keyed, type Picture, wrap } from './layout.ts';
import type { Loan, Word } from './lending.ts';
import { plainInput, plainMenu } from './plain.ts';
import { input, menu, type Standing } from './questions.ts';
import { Terminal } from './terminal.ts';

/** Lines that are kept to be shown below questions. */
const KEPT_NEWS = 10;
/** Lines of a text that leave room for what is around it. */
const MOST_SHOWN = 14;
const MENU_HINT = 'Arrow keys and Enter, or the key of a choice. Esc goes back.';
const INPUT_HINT = 'Enter takes it, Esc goes back.';
const SECRET_HINT = `Nothing is shown while you type. ${INPUT_HINT}`;

export interface MenuOptions {
  /** A function is asked again by `refresh`. */
  head?: readonly string[] | (() => readonly string[]);
  preset?: string;
  hint?: string;
}

interface Answer {
  value: string;
  terminal: Terminal;
}

type Pose = (terminal: Terminal) => Standing;

/**
 * Whoever sits at any of the terminals that were lent to the menu. A question stands on all of them; the first answer
 * holds, and the others are told.
 */
export class Screen implements Person {
  readonly there = true;
  readonly #title: string;
  readonly #consoles: Consoles;
  readonly #plain: boolean;
  readonly #terminals = new Map<string, Terminal>();
  readonly #news: string[] = [];
  /** Puts the question that is open on a terminal that comes later. */
  #pose: ((terminal: Terminal) => void) | null = null;
  #headAgain: () => void = () => {};
  /** One question at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(title: string, consoles: Consoles, plain: boolean) {
    this.#title = title;
    this.#consoles = consoles;
    this.#plain = plain;
  }

  /** Shows on a terminal what is asked. */
  take(loan: Loan): void {
    const terminal = new Terminal(loan, this.#consoles.one(loan.name), this.#plain, (text) => this.#keep(text));
    this.#terminals.set(terminal.name, terminal);
    log(`menu on ${terminal.name}`);
    loan.keys.once('close', () => this.#lose(terminal));
    this.#pose?.(terminal);
  }

  /** Gives a terminal back, for a shell, the log or a text. */
  release(terminal: Terminal, word: Exclude<Word, 'again'>): void {
    this.#terminals.delete(terminal.name);
    terminal.giveBack(word);
  }

  async choose(question: string, choices: readonly Choice[], preset?: string): Promise<string> {
    const { value } = await this.menu(question, choices, { preset });
    return value;
  }

  async enter(
    question: string,
    { preset, secret = false }: { preset?: string; secret?: boolean } = {},
  ): Promise<string> {
    const asked = { picture: this.#picture(question, [], secret ? SECRET_HINT : INPUT_HINT), preset };
    const pose = (terminal: Terminal) => (terminal.plain ? plainInput : input)(terminal, asked, secret);
    return (await this.#ask(question, pose)).value.trim();
  }

  /** As `choose`, and tells where it was answered. */
  async menu(
    question: string,
    choices: readonly (Choice & { key?: string })[],
    options: MenuOptions = {},
  ): Promise<Answer> {
    const { head = [], preset, hint = MENU_HINT } = options;
    const lines = () => (typeof head === 'function' ? head() : head);
    const asked = { picture: this.#picture(question, lines(), hint), preset };
    this.#headAgain = () => {
      asked.picture.head = lines();
    };
    const list: Keyed[] = keyed(choices);
    return this.#ask(question, (terminal) => (terminal.plain ? plainMenu : menu)(terminal, asked, list));
  }

  /** What stands above the menu may have changed. */
  refresh(): void {
    this.#headAgain();
    for (const terminal of this.#terminals.values()) terminal.redraw?.();
  }

  /** Shows text until someone has read it. */
  async show(sentences: readonly string[]): Promise<void> {
    const lines = sentences.flatMap((sentence) => wrap(sentence));
    const more = lines.length > MOST_SHOWN ? ['... and more: the log has all of it.'] : [];
    const head = ['', ...lines.slice(0, MOST_SHOWN), ...more, ''];
    await this.menu('', [{ value: 'on', text: 'Go on' }], { head, preset: 'on' });
  }

  #picture(question: string, head: readonly string[], hint: string): Picture {
    return { title: this.#title, head, question, hint, news: this.#news };
  }

  #ask(question: string, pose: Pose): Promise<Answer> {
    const next = this.#turn.then(() => this.#askAll(question, pose));
    this.#turn = next.catch(() => {});
    return next;
  }

  async #askAll(question: string, pose: Pose): Promise<Answer> {
    const standing = new Map<Terminal, Standing>();
    const first = Promise.withResolvers<{ value: string | null; terminal: Terminal }>();
    this.#pose = (terminal) => {
      const one = pose(terminal);
      standing.set(terminal, one);
      one.answer.then((value) => first.resolve({ value, terminal }));
    };
    for (const terminal of this.#terminals.values()) this.#pose(terminal);
    const { value, terminal } = await first.promise;
    this.#pose = null;
    standing.delete(terminal);
    terminal.note = '';
    for (const one of standing.values()) one.withdraw();
    if (standing.size > 0) this.#tellOthers(standing.keys(), `Answered at ${terminal.name}.`);
    if (value === null) throw new Unanswered(`${question} Nothing was chosen.`);
    return { value, terminal };
  }

  #tellOthers(others: Iterable<Terminal>, line: string): void {
    for (const other of others) {
      other.note = line;
      if (other.plain) other.write(`\n${line}\n`);
    }
  }

  #keep(text: string): void {
    const lines = text.split('\n').filter((line) => line.trim());
    for (const line of lines) if (this.#news.at(-1) !== line) this.#news.push(line);
    this.#news.splice(0, this.#news.length - KEPT_NEWS);
  }

  #lose(terminal: Terminal): void {
    if (this.#terminals.get(terminal.name) !== terminal) return;
    this.#terminals.delete(terminal.name);
    terminal.giveBack('again');
    if (terminal.name.startsWith('pts/')) this.#consoles.forget(terminal.name);
  }
}
