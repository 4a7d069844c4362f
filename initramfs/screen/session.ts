import type { Boot, Context } from '../boot.ts';
import type { OpenSource } from '../sources/source.ts';
import type { Screen } from './screen.ts';
import type { Terminal } from './terminal.ts';

/** What the entries of the menu work with. */
export interface Session {
  boot: Boot;
  /** The same for what asks: the menu does, in nuke mode too. */
  context: Context;
  screen: Screen;
  /** The restore source that is open. */
  source: OpenSource | null;
}

/** One entry of the menu, a file each where it takes more than a few lines. */
export interface Entry {
  name: string;
  /** The letter that takes it. */
  key: string;
  text: string;
  /** How it stands, behind the text. */
  state?(session: Session): string;
  /**
   * @param terminal where it was chosen
   * @throws SourceError, Unanswered; anything else is a fault of ours and told as a problem
   */
  run(session: Session, terminal: Terminal): Promise<void>;
}
