export interface KmodErrorOptions {
  /** What the person can do about it, one sentence. */
  hint?: string;
  /** File, or `file:line`. */
  where?: string;
  cause?: unknown;
}

export type KmodErrorCode =
  | 'tree.missing'
  | 'tree.empty'
  | 'tree.truncated'
  | 'tree.malformed'
  | 'tree.encoding'
  | 'tree.cyclic'
  | 'module.unknown'
  | 'module.unreadable'
  | 'module.not-elf'
  | 'module.compression'
  | 'module.too-big'
  | 'tool.failed';

/** The one error this package throws for bad input: what is wrong, where, and what to do. */
export class KmodError extends Error {
  readonly code: KmodErrorCode;
  readonly hint: string | undefined;
  readonly where: string | undefined;

  constructor(code: KmodErrorCode, message: string, options: KmodErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'KmodError';
    this.code = code;
    this.hint = options.hint;
    this.where = options.where;
  }
}
