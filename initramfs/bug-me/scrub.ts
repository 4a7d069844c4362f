import { SECRET_KINDS } from '../../contract/secret-kinds.ts';

/** What stands where a secret was. */
export const REMOVED = '[removed]';

/** Shorter ones are removed where they are told to be secrets, not wherever else these letters stand. */
const SHORTEST_LITERAL = 4;

/**
 * Names of settings whose value is nobody else's business; not those that name a file with it. Nothing here repeats
 * without a limit at more than one place: any text must be done in a time that grows with its length only.
 */
const WORD = [
  '(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|psk|credentials?|cookie|wep[_-]?key|wireless[_-]?key',
  '|(?:api|access|account|private|preshared|encryption|master|session|shared|storage)[_-]?key(?:[_-]?id)?)',
  '(?:[_-]?\\d{1,3})?(?![\\w-]{0,40}file)[\\w-]{0,40}',
].join('');
const NAME = `[\\w.-]{0,40}${WORD}`;
const SECRET_NAME = new RegExp(`^${NAME}$`, 'i');
const IS = `["'\\\\]{0,4}\\s{0,9}[:=]\\s{0,9}`;
const SCHEME = '[a-z][a-z0-9+.-]{0,20}:\\/\\/';

/** A secret and what stands before it, which stays. */
const RULES: readonly RegExp[] = [
  // PEM, OpenSSH and PGP; of one that is cut off nothing is left.
  /(?<before>)(?<secret>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$))/g,
  /(?<before>)(?<secret>PuTTY-User-Key-File-\d+:[\s\S]*?(?:\nPrivate-MAC: .*|$))/g,
  /(?<before>)(?<secret>BORG_KEY [0-9a-f]{64}\s[A-Za-z0-9+/=\s]*)/g,
  // scheme://user:password@server; a password may hold anything that is no blank. A quote at the end of a JSON text is none.
  new RegExp(`(?<before>${SCHEME}[^\\s:/?#"@]{0,99}:)(?<secret>(?:[^\\s"]|"(?![,:}\\]\\s])){1,500})(?=@)`, 'gi'),
  // A token instead of a user.
  new RegExp(`(?<before>${SCHEME})(?<secret>[^\\s:/?#"@]{20,500})(?=@)`, 'gi'),
  // dracut's netroot=iscsi:user:password@server:…
  /(?<before>\biscsi:)(?!\/\/)(?<secret>[^\s"@:]{0,99}:[^\s"]{0,500})(?=@)/gi,
  // Presigned addresses and the like.
  new RegExp(`(?<before>${SCHEME}[^\\s"?]{0,2000}\\?)(?<secret>[^\\s"#]+)`, 'gi'),
  // HTTP's headers.
  /(?<before>\b(?:proxy-)?authorization["'\\]{0,4}\s{0,9}[:=]\s{0,9})(?<secret>\S.*)/gi,
  /(?<before>\b(?:set-)?cookie["'\\]{0,4}\s{0,9}:\s{0,9})(?<secret>\S.*)/gi,
  /(?<before>\b(?:bearer|basic)\s{1,9})(?<secret>[\w.~+/-]{8,}=*)/gi,
  // Options of programs: --password x, curl -u user:x, sshpass -p x; ifupdown's wpa-psk x.
  new RegExp(`(?<before>(?<![\\w-])--?${NAME}[ \\t]{1,9})(?<secret>\\S+)`, 'gi'),
  /(?<before>(?:^|\s)(?:-u|--user)[ =][^\s:]{1,99}:)(?<secret>\S+)/gm,
  /(?<before>\bsshpass\s{1,9}-p\s{0,9})(?<secret>\S+)/g,
  /(?<before>\b(?:wpa-(?:psk|passphrase|password)|wep-?key\d?|wireless-key\d?|wpa_passphrase\s{1,9}\S{1,99})[ \t]{1,9})(?<secret>\S.*)/gi,
  /(?<before>\bkey\s{1,9}s:)(?<secret>\S+)/gi,
  // initscripts' KEY= and KEY_1= of a wireless card.
  /(?<before>^KEY(?:_?\d)?=)(?<secret>\S.*)/gm,
  // A line of its own: all that follows. Lines of our log begin with the time.
  new RegExp(
    `(?<before>^(?:\\[[^\\]\\n]{0,40}\\])?[ \\t|>-]{0,40}(?:export[ \\t]{1,9}|set[ \\t]{1,9})?["']?${NAME}["']?[ \\t]{0,9}[:=][ \\t]{0,9})(?<secret>\\S.*)`,
    'gim',
  ),
  // "name=a value with blanks", as the kernel's command line has it.
  new RegExp(`(?<before>["']${NAME}=)(?<secret>[^"'\\n]+)`, 'gi'),
  // name="value", "name": "value", and the same in a JSON text in a JSON text.
  new RegExp(
    `(?<before>${WORD}${IS})(?<secret>"(?:[^"\\\\\\n]|\\\\.){1,999}"|'[^'\\n]{1,999}'|\\\\"(?:(?!\\\\")[^\\n]){1,999}\\\\")`,
    'gi',
  ),
  new RegExp(`(?<before>${WORD}${IS})(?!\\\\?["']?\\[removed\\]\\\\?["']?(?:[\\s,;&})\\]]|$))(?<secret>\\S+)`, 'gi'),
];

/** What is a secret wherever it stands. */
const TOKENS = SECRET_KINDS.filter(({ path, notIn }) => !path && !notIn).map(
  ({ pattern }) => new RegExp(pattern, `${pattern.flags}g`),
);

/** The text without anything that looks like a secret, and without those that are known. */
export function scrub(text: string, known: readonly string[] = []): string {
  const bare = known.reduce((left, secret) => left.replaceAll(secret, REMOVED), text);
  const ruled = RULES.reduce((left, rule) => left.replace(rule, remove), bare);
  return TOKENS.reduce((left, pattern) => left.replace(pattern, REMOVED), ruled);
}

/** Secrets in settings, to be removed wherever else they stand: of a text, or of what a JSON text holds. */
export function secretsIn(settings: unknown): string[] {
  return asWritten(collect(settings));
}

function collect(value: unknown): string[] {
  if (typeof value === 'string') {
    const found = RULES.flatMap((rule) => [...value.matchAll(rule)].map(({ groups }) => groups?.secret ?? ''));
    return found.map((secret) => secret.replace(/^\\?["']|\\?["']$/g, ''));
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, field]) =>
    typeof field === 'string' && SECRET_NAME.test(name) ? field : collect(field),
  );
}

/** Each as it is, in a URL, in JSON and in base64; the longest first, because one may be a part of another. */
export function asWritten(secrets: readonly string[]): string[] {
  const all = secrets.flatMap((secret) => {
    const plain = decoded(secret);
    return [
      secret,
      plain,
      encodeURIComponent(plain),
      JSON.stringify(plain).slice(1, -1),
      Buffer.from(plain).toString('base64'),
    ];
  });
  const wanted = all.filter((secret) => secret.length >= SHORTEST_LITERAL && !REMOVED.includes(secret));
  return [...new Set(wanted)].sort((a, b) => b.length - a.length);
}

function decoded(secret: string): string {
  try {
    return decodeURIComponent(secret);
  } catch {
    return secret;
  }
}

function remove(...match: unknown[]): string {
  const { before = '', secret = '' } = match.at(-1) as Record<string, string>;
  const [, quote = ''] = /^(\\?["'])/.exec(secret) ?? [];
  return `${before}${quote}${REMOVED}${secret.length > quote.length && secret.endsWith(quote) ? quote : ''}`;
}

/** The same of what JSON can hold: by the names of its fields, too. */
export function scrubValue(value: unknown, known: readonly string[] = []): unknown {
  if (typeof value === 'string') return scrub(value, known);
  if (Array.isArray(value)) return value.map((item) => scrubValue(item, known));
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([name, field]) => [
    name,
    typeof field === 'string' && SECRET_NAME.test(name) ? REMOVED : scrubValue(field, known),
  ]);
  return Object.fromEntries(fields);
}
