import { SECRET_KINDS } from '../../contract/secret-kinds.ts';

/** What stands where a secret was. */
export const REMOVED = '[removed]';

/** Shorter ones are removed where they are told to be secrets, not wherever else these letters stand. */
const SHORTEST_LITERAL = 4;

/** Names of settings whose value is nobody else's business; not those that name a file with it. */
const NAME = [
  '[\\w.-]*(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|psk|credentials?|cookie|wep[_-]?key|wireless[_-]?key',
  '|(?:api|access|account|private|preshared|encryption|master|session|shared|storage)[_-]?key(?:[_-]?id)?)',
  '(?:[_-]?\\d+)?(?![\\w-]*file)[\\w-]*',
].join('');
const SECRET_NAME = new RegExp(`^${NAME}$`, 'i');
const BEGUN = `(?<![\\w-])${NAME}`;
const IS = `["'\\\\]*\\s*[:=]\\s*`;

/** A secret and what stands before it, which stays. */
const RULES: readonly RegExp[] = [
  // PEM, OpenSSH and PGP; of one that is cut off nothing is left.
  /(?<before>)(?<secret>-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|$))/g,
  /(?<before>)(?<secret>PuTTY-User-Key-File-\d+:[\s\S]*?(?:\nPrivate-MAC: .*|$))/g,
  /(?<before>)(?<secret>BORG_KEY [0-9a-f]{64}\s[A-Za-z0-9+/=\s]*)/g,
  // scheme://user:password@server; a password may hold anything that is no blank. A quote at the end of a JSON text is none.
  /(?<before>[a-z][a-z0-9+.-]*:\/\/[^\s:/?#"@]*:)(?<secret>(?:[^\s"]|"(?![,:}\]\s]))+)(?=@)/gi,
  // A token instead of a user.
  /(?<before>[a-z][a-z0-9+.-]*:\/\/)(?<secret>[^\s:/?#"@]{20,})(?=@)/gi,
  // dracut's netroot=iscsi:user:password@server:…
  /(?<before>\biscsi:)(?!\/\/)(?<secret>[^\s"@]*:[^\s"]*)(?=@)/gi,
  // Presigned addresses and the like.
  /(?<before>[a-z][a-z0-9+.-]*:\/\/[^\s"?]*\?)(?<secret>[^\s"#]+)/gi,
  // HTTP's headers.
  /(?<before>\b(?:proxy-)?authorization["'\\]*\s*[:=]\s*)(?<secret>\S.*)/gi,
  /(?<before>\b(?:set-)?cookie["'\\]*\s*:\s*)(?<secret>\S.*)/gi,
  /(?<before>\b(?:bearer|basic)\s+)(?<secret>[\w.~+/-]{8,}=*)/gi,
  // Options of programs: --password x, curl -u user:x, sshpass -p x; ifupdown's wpa-psk x.
  new RegExp(`(?<before>--?${NAME}[ \\t]+)(?<secret>\\S+)`, 'gi'),
  /(?<before>(?:^|\s)(?:-u|--user)[ =][^\s:]+:)(?<secret>\S+)/gm,
  /(?<before>\bsshpass\s+-p\s*)(?<secret>\S+)/g,
  /(?<before>\b(?:wpa-(?:psk|passphrase|password)|wep-?key\d?|wireless-key\d?|wpa_passphrase\s+\S+)[ \t]+)(?<secret>\S.*)/gi,
  /(?<before>\bkey\s+s:)(?<secret>\S+)/gi,
  // initscripts' KEY= and KEY_1= of a wireless card.
  /(?<before>^KEY(?:_?\d)?=)(?<secret>\S.*)/gm,
  // A line of its own: all that follows. Lines of our log begin with the time.
  new RegExp(
    `(?<before>^(?:\\[[^\\]\\n]*\\])?[ \\t|>-]*(?:export[ \\t]+|set[ \\t]+)?["']?${NAME}["']?[ \\t]*[:=][ \\t]*)(?<secret>\\S.*)`,
    'gim',
  ),
  // "name=a value with blanks", as the kernel's command line has it.
  new RegExp(`(?<before>["']${NAME}=)(?<secret>[^"'\\n]+)`, 'gi'),
  // name="value", "name": "value", and the same in a JSON text in a JSON text.
  new RegExp(
    `(?<before>${BEGUN}${IS})(?<secret>"(?:[^"\\\\\\n]|\\\\.)+"|'[^'\\n]+'|\\\\"(?:(?!\\\\")[^\\n])+\\\\")`,
    'gi',
  ),
  new RegExp(`(?<before>${BEGUN}${IS})(?!\\\\?["']?\\[removed\\]\\\\?["']?(?:[\\s,;&})\\]]|$))(?<secret>\\S+)`, 'gi'),
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
