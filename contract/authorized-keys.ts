/** Public keys as OpenSSH's file authorized_keys has them, a line each (sshd(8), AUTHORIZED_KEYS FILE FORMAT). */
export interface AuthorizedKeys {
  /** As they were written, options and comments included. */
  lines: string[];
  problems: KeyProblem[];
}

export interface KeyProblem {
  /** From 1. */
  line: number;
  /** Completes "The key …"; the line itself is not in it. */
  why: string;
}

/** How such a line differs from the path of a file with some. */
export const KEY_LINE = /\sAAAA/;

/** Options may have blanks in quotes. */
const OPTIONS = /(?:[^\s"]|"(?:[^"\\]|\\.)*")+/.source;
const TYPE = /(?:ssh|ecdsa|sk)-[\w@.-]+/.source;
const LINE = new RegExp(`^(?:${OPTIONS}[ \\t]+)??(${TYPE})[ \\t]+([A-Za-z0-9+/]+={0,3})(?:[ \\t].*)?$`);

/** Any text gives an answer: the lines that are keys, and what is wrong with the others. */
export function parseAuthorizedKeys(text: string): AuthorizedKeys {
  const keys: AuthorizedKeys = { lines: [], problems: [] };
  if (text.includes('PRIVATE KEY-----')) {
    const why = 'is a private one, which nobody else may have: give the public one beside it, whose name ends in .pub';
    return { ...keys, problems: [{ line: 1, why }] };
  }
  for (const [n, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const why = wrongWith(line);
    if (why === null) keys.lines.push(line);
    else keys.problems.push({ line: n + 1, why });
  }
  return keys;
}

function wrongWith(line: string): string | null {
  const [, type = '', base64 = ''] = (!/[\0-\x08\x0a-\x1f\x7f]/.test(line) && LINE.exec(line)) || [];
  if (!type) return 'is none that OpenSSH knows: it begins with ssh-ed25519 or the like';
  if (type === 'ssh-dss') return 'is of the kind ssh-dss, which OpenSSH takes no more';
  const [inside, ...rest] = fields(Buffer.from(base64, 'base64')) ?? [];
  return inside?.toString('latin1') === type && rest.length > 0 ? null : 'is damaged, or a part of it is missing';
}

/** What a key is made of: strings with their length before them (RFC 4251). Null where one ends too soon. */
function fields(key: Buffer): Buffer[] | null {
  const all: Buffer[] = [];
  for (let at = 0; at < key.length; ) {
    const end = at + 4 + (at + 4 <= key.length ? key.readUInt32BE(at) : Number.POSITIVE_INFINITY);
    if (end > key.length) return null;
    all.push(key.subarray(at + 4, end));
    at = end;
  }
  return all;
}
