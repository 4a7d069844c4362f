import type { Volume } from '../../contract/volume.ts';
import type { Context } from '../boot.ts';

/**
 * A kind of place restore data come from, one file each in this folder. An address is a URL whose scheme belongs to one
 * kind; docs/restore-sources.md has their grammar.
 */
export interface SourceKind {
  /** Without the colon. */
  schemes: readonly string[];
  /** For people: "CD or DVD", "NFS server". */
  name: string;
  /** One line for the menu and the docs, with an example of the address. */
  about: string;
  /** Addresses that can be found without being told: discs in drives, file systems with volumes on them, tapes. */
  find?(context: Context): Promise<string[]>;
  /**
   * Makes it readable, and never writable. Everything it tries is told.
   * @throws SourceError when it cannot be: one plain sentence of what is wrong and one of what to do
   */
  open(address: URL, context: Context): Promise<OpenSource>;
}

export interface OpenSource {
  /** For people: "the disc in sr0", "nfs://server/backup". No password. */
  name: string;
  /** A directory with the data, mounted read-only; null where there are none: tapes, objects by HTTP. */
  path: string | null;
  /** What can be read now; the volumes of a set that are on other discs or tapes are not in it. */
  volumes(): Promise<Volume[]>;
  /** One file of the data, from `offset` bytes on. */
  read(name: string, offset?: number): Promise<NodeJS.ReadableStream>;
  /** Gets the volume of that number: asks for the disc or tape, lets the old one go, checks what was put in. */
  next?(number: number): Promise<void>;
  close(): Promise<void>;
}

/** A source that cannot be used. */
export class SourceError extends Error {
  /** What a person can do about it. */
  readonly hint: string;
  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}
