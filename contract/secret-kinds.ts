/** What must not be on a medium that anyone may find in a drawer. One row a kind; `pattern` matches in the text of a file. */
export interface SecretKind {
  /** As people are told: `… holds a private key`. */
  name: string;
  pattern: RegExp;
  /** Only in files with such a path. */
  path?: RegExp;
  /** Not in files with such a path. */
  notIn?: RegExp;
}

/** What stands in a value's place in examples and manuals; pass:insta is in everybody's openssl.cnf. */
const PLACEHOLDERS = [
  ...['changeme', 'example', 'password', 'passwd', 'secret', 'required', 'optional', 'disabled', 'enabled', 'default'],
  ...['unset', 'prompt', 'string', 'pass:insta', 'your[-_]?\\w*', 'xxx+'],
];
/** A value somebody wrote there to the end of the line: no variable, no path, no placeholder. */
const LITERAL = [
  `["']?(?![$<{%*[(/]|(?:${PLACEHOLDERS.join('|')})\\b)`,
  '[^\\s"\'$<>{}()|;,*`]{6,}["\']?[ \\t]*(?:$|[#;])',
].join('');
/** The start of `NAME=`, after `export`, quotes or YAML's dash. */
const START = String.raw`^[ \t]*(?:-[ \t]+)?(?:export[ \t]+|set[ \t]+)?["']?`;
/** Source code and documentation talk of passwords without having any. */
const CODE = /\.(?:pl|pm|py|pyc|rb|js|mjs|lua|tcl|c|h|vim|html?|md|txt|rst|po|[1-9]|gz)$|\/(?:doc|man|locale)\//;

export const SECRET_KINDS: readonly SecretKind[] = [
  {
    // PEM and OpenSSH, PGP's armour. Base64 must follow: programs that handle keys have the first line in them, too.
    name: 'a private key',
    pattern:
      /^-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----[ \t]*\r?\n(?:[A-Za-z-]+: .*\r?\n|[ \t]*\r?\n)*[A-Za-z0-9+/=]{16,}/m,
  },
  { name: 'a private key of PuTTY', pattern: /^PuTTY-User-Key-File-\d+: /m },
  { name: 'a private key of age', pattern: /\bAGE-(?:SECRET-KEY|PLUGIN-[A-Z0-9]+)-1[0-9A-Z]{40,}/ },
  {
    name: 'a private key of minisign or signify',
    pattern: /^untrusted comment: .*\r?\n(?:RWRTY0Iy|RWQAAEIy|RWRCS)[A-Za-z0-9+/]{60,}/m,
  },
  { name: 'a private key of GnuPG', pattern: /^(?:Key: )?\((?:\d+:)?(?:protected-|shadowed-)?private-key\b/m },
  {
    name: 'a private key of WireGuard',
    pattern: /^[ \t]*(?:PrivateKey|PresharedKey)[ \t]*=[ \t]*[A-Za-z0-9+/]{43}=[ \t]*\r?$/m,
  },
  { name: 'a key of Borg', pattern: /^BORG_KEY [0-9a-f]{64}$/m },
  // The file's kind says it; its bytes are not text.
  {
    name: 'a key store',
    pattern: /^/,
    path: /\.(?:p12|pfx|jks|keystore|kdbx|keytab)$|\/(?:secring\.gpg|krb5\.keytab)$/,
  },
  {
    // crypt(5): yescrypt, SHA-512, SHA-256, bcrypt, Argon2, MD5; and GRUB's.
    name: 'a password hash',
    pattern:
      /\$(?:g?y\$[./A-Za-z0-9]+\$[./A-Za-z0-9]{1,86}\$[./A-Za-z0-9]{43}|6\$(?:rounds=\d+\$)?[^$\s:]{1,16}\$[./A-Za-z0-9]{86}|5\$(?:rounds=\d+\$)?[^$\s:]{1,16}\$[./A-Za-z0-9]{43}|2[abxy]\$\d\d\$[./A-Za-z0-9]{53}|(?:1|apr1)\$[^$\s:]{1,8}\$[./A-Za-z0-9]{22}|argon2(?:id?|d)\$[^\s:]{20,})|\bgrub\.pbkdf2\.sha\d+\.\d+\.[0-9A-F]{32,}/,
  },
  { name: 'a password hash', pattern: /^[^:\n]+:(?![!*x]|:)[^:\n]{2,}:/m, path: /\/g?shadow-?$/ },
  { name: 'an access key of AWS', pattern: /\b(?:AKIA|ASIA)[A-Z2-7]{16}\b/ },
  { name: 'an access key of AWS', pattern: /aws_secret_access_key["']?\s*[=:]\s*["']?[A-Za-z0-9/+]{40}\b/i },
  { name: 'a token of GitHub', pattern: /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})/ },
  { name: 'a token of GitLab', pattern: /\bgl(?:pat|rt|dt|ptt|cbt)-[A-Za-z0-9_-]{20,}/ },
  { name: 'a token of Slack', pattern: /\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-\d-[A-Za-z0-9-]{10,}/ },
  { name: 'a token of npm or PyPI', pattern: /\bnpm_[A-Za-z0-9]{36}\b|\bpypi-AgE[A-Za-z0-9_-]{50,}/ },
  { name: 'a key of Google', pattern: /\bAIza[A-Za-z0-9_-]{35}\b/ },
  { name: 'a JSON web token', pattern: /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,}/ },
  {
    // restic, Borg, duplicity, rclone, Kopia, ReaR.
    name: 'a backup passphrase',
    pattern: new RegExp(
      `${START}(?:RESTIC_PASSWORD|BORG_(?:NEW_)?PASSPHRASE|PASSPHRASE|RCLONE_CONFIG_PASS|KOPIA_PASSWORD|BACKUP_PROG_CRYPT_KEY|SSH_ROOT_PASSWORD|ZFS_PASSPHRASE)["']?[ \\t]*[=:][ \\t]*["']?(?![$"'\\s]|\\$\\()\\S`,
      'm',
    ),
    // Borg's own help shows how its variables are set.
    notIn: /\/(?:dist|site)-packages\//,
  },
  {
    name: 'a password in a URL',
    pattern: /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s/:@"'<>$]+:(?![$<{*])[^\s/:@"'<>]{3,}@[\w.[-]/i,
    notIn: CODE,
  },
  {
    name: 'a password or token',
    pattern: new RegExp(
      `${START}[\\w.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|psk)["']?[ \\t]*[=:][ \\t]*${LITERAL}`,
      'im',
    ),
    notIn: CODE,
  },
];
