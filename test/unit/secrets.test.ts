import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadProfile, type Profile } from '../../builder/profile/load.ts';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { findingsIn, refuseSecrets, type Scanned, scanForSecrets } from '../../builder/secrets/scan.ts';
import { resolveTools } from '../../builder/tools/resolve.ts';
import { MindiError } from '../../contract/error.ts';

let work: Scratch;
const at = (name: string) => join(work.path, name);

beforeAll(async () => {
  work = await scratch('test');
  process.env.MINDI_CACHE = at('cache');
  mkdirSync(at('keys'));
});
afterAll(async () => {
  await work[Symbol.asyncDispose]();
});

const letters = (count: number) =>
  randomBytes(count * 2)
    .toString('base64')
    .replaceAll(/[^A-Za-z0-9]/g, '')
    .slice(0, count)
    .padEnd(count, 'x');
const UPPER = 'ABCDEFGHIJKLMNOP';

/** Made when the tests run: a scanner of this repository should find nothing. */
const made = {
  openssh: () => {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('keys/ssh')]);
    return readFileSync(at('keys/ssh'), 'utf8');
  },
  locked: () => {
    execFileSync('ssh-keygen', ['-q', '-t', 'rsa', '-b', '1024', '-m', 'PEM', '-N', 'phrase', '-f', at('keys/rsa')]);
    return readFileSync(at('keys/rsa'), 'utf8');
  },
  minisign: () => {
    execFileSync('minisign', ['-G', '-W', '-p', at('keys/pub'), '-s', at('keys/mini')], { stdio: 'pipe' });
    return readFileSync(at('keys/mini'), 'utf8');
  },
  gnupg: () => {
    const home = at('keys/gnupg');
    mkdirSync(home, { mode: 0o700 });
    const args = ['--homedir', home, '--batch', '--passphrase', '', '--quick-gen-key', 'me@example.org', 'ed25519'];
    execFileSync('gpg', args, { stdio: 'pipe' });
    execFileSync('gpgconf', ['--homedir', home, '--kill', 'all']);
    const keys = join(home, 'private-keys-v1.d');
    return readFileSync(join(keys, readdirSync(keys)[0] as string), 'latin1');
  },
  crypt: (method: string) => execFileSync('openssl', ['passwd', method, 'hunter2'], { encoding: 'utf8' }),
};
const pem = (kind: string) => `-----BEGIN ${kind}-----\n${letters(64)}\n-----END ${kind}-----\n`;

/** Each kind of secret, where it is planted, and what it is called. */
const PLANTED: [what: string, path: string, text: () => string, kind: string][] = [
  ['an OpenSSH key', '/root/.ssh/id_ed25519', made.openssh, 'a private key'],
  ['an encrypted PEM key', '/etc/x/server.key', made.locked, 'a private key'],
  [
    'a PKCS 8 key behind its certificate',
    '/etc/x/both.pem',
    () => pem('CERTIFICATE') + pem('PRIVATE KEY'),
    'a private key',
  ],
  ['a PGP key', '/root/key.asc', () => pem('PGP PRIVATE KEY BLOCK').replace('\n', '\n\n'), 'a private key'],
  ['a key of gpg-agent', '/root/.gnupg/a.key', made.gnupg, 'a private key of GnuPG'],
  ['a key of PuTTY', '/root/k.ppk', () => 'PuTTY-User-Key-File-3: ssh-ed25519\n', 'a private key of PuTTY'],
  ['a key of age', '/root/age.txt', () => `# public\nAGE-SECRET-KEY-1${UPPER.repeat(4)}\n`, 'a private key of age'],
  ['a key of minisign', '/root/mini.key', made.minisign, 'a private key of minisign or signify'],
  [
    'a key of WireGuard',
    '/etc/wireguard/wg0.conf',
    () => `[Interface]\nPrivateKey = ${letters(43)}=\n`,
    'a private key of WireGuard',
  ],
  ['a key of Borg', '/root/borg', () => `BORG_KEY ${'0af1'.repeat(16)}\nhqlh\n`, 'a key of Borg'],
  ['a key store', '/etc/x/server.p12', () => '\x00\x01', 'a key store'],
  ['SHA-512', '/etc/shadow', () => `root:${made.crypt('-6').trim()}:19000:0:99999:7:::\n`, 'a password hash'],
  [
    'SHA-256 in a script',
    '/usr/local/sbin/x',
    () => `#!/bin/sh\necho 'a:${made.crypt('-5').trim()}' | chpasswd -e\n`,
    'a password hash',
  ],
  ['MD5', '/etc/x/htpasswd', () => `me:${made.crypt('-apr1')}`, 'a password hash'],
  [
    'yescrypt',
    '/etc/x/preseed',
    () => `passwd/root-password-crypted password $y$j9T$${letters(22)}$${letters(43)}\n`,
    'a password hash',
  ],
  ['bcrypt', '/etc/x/users', () => `me:$2b$12$${letters(53)}\n`, 'a password hash'],
  ['DES', '/etc/shadow-', () => 'daemon:*:1::::::\nroot:ab0123456789x:1::::::\n', 'a password hash'],
  [
    'GRUB',
    '/boot/grub/user.cfg',
    () => `password_pbkdf2 root grub.pbkdf2.sha512.10000.${'0AF1'.repeat(32)}\n`,
    'a password hash',
  ],
  ['AWS', '/root/.aws/credentials', () => `aws_access_key_id = AKIA${UPPER}\n`, 'an access key of AWS'],
  [
    'GitHub',
    '/usr/local/bin/get.sh',
    () => `#!/bin/sh\ncurl -H "Authorization: token ghp_${letters(36)}"\n`,
    'a token of GitHub',
  ],
  ['GitLab', '/root/.netrc', () => `machine gitlab.com password glpat-${letters(20)}\n`, 'a token of GitLab'],
  ['Slack', '/etc/x/slack', () => `xoxb-123456789012-${letters(24)}\n`, 'a token of Slack'],
  ['npm', '/root/.npmrc', () => `//registry.npmjs.org/:_authToken=npm_${letters(36)}\n`, 'a token of npm or PyPI'],
  ['Google', '/etc/x/maps', () => `key=AIza${letters(35)}\n`, 'a key of Google'],
  ['JWT', '/etc/x/jwt', () => `eyJ${letters(20)}.eyJ${letters(20)}.${letters(43)}\n`, 'a JSON web token'],
  [
    'a password in a configuration',
    '/etc/x/mail.conf',
    () => 'host = a\npassword = "hunter2-b"\n',
    'a password or token',
  ],
  ['a token in YAML', '/etc/x/a.yaml', () => `a:\n  - api_key: ${letters(20)}\n`, 'a password or token'],
  ['a credentials file', '/root/.smb', () => 'username=backup\npassword=hunter22\n', 'a password or token'],
  ['a password in a URL', '/etc/x/fetch', () => 'source sftp://backup:hunter22@10.0.0.1/srv\n', 'a password in a URL'],
  ['restic', '/etc/restic/env', () => 'export RESTIC_PASSWORD=abc\n', 'a backup passphrase'],
  ['Borg', '/etc/borg/env', () => "BORG_PASSPHRASE='abc'\n", 'a backup passphrase'],
  ['ReaR', '/etc/rear/local.conf', () => 'BACKUP_PROG_CRYPT_KEY="abc"\n', 'a backup passphrase'],
];

/** What only looks like one. */
const HARMLESS: [path: string, text: string][] = [
  ['/etc/shadow', 'root:*:19000:0:99999:7:::\ndaemon:!:1::::::\nsync::1::::::\nx:!!:1::::::\n'],
  ['/etc/ssh/ssh_config', 'PasswordAuthentication yes\n# password = hunter22\n'],
  ['/usr/local/sbin/restore', 'PASSWORD="$1"\nread -rs PASSWORD\nRESTIC_PASSWORD=$(cat /run/p)\nTOKEN=\n'],
  ['/usr/lib/python3/dist-packages/borg/archiver.py', 'BORG_PASSPHRASE=secr3t borg init\n'],
  ['/etc/x/restic', 'RESTIC_PASSWORD_COMMAND=pass show restic\nRESTIC_PASSWORD_FILE=/run/x\n'],
  ['/usr/bin/tool', "if line == '-----BEGIN PRIVATE KEY-----':\n  pass\n-----BEGIN PUBLIC KEY-----\n"],
  [
    '/usr/share/perl5/Net.pm',
    'password => $self->{password},\nurl http://user:secret@example.org/\npassword = something\n',
  ],
  ['/etc/x/ssh.pub', `ssh-ed25519 AAAAC3Nza${'x'.repeat(40)} me@here\n`],
  ['/etc/x/a.conf', `password = changeme\ntoken = \${TOKEN}\nsecret: <put yours here>\npassword = /run/secrets/p\n`],
  ['/etc/proxy', 'http://proxy.example.org:3128/\nhttps://user@host/\n'],
];

describe('what is a secret', () => {
  test.each(PLANTED)('%s in %s', (_what, path, text, kind) => {
    const found = findingsIn(text(), path, '');
    expect(found.map((one) => one.kind)).toContain(kind);
  });

  test.each(HARMLESS)('not in %s', (path, text) => {
    expect(findingsIn(text, path, '')).toEqual([]);
  });

  test('the line is told', () => {
    expect(findingsIn('a\n\n\npassword = hunter22\n', '/etc/x', '')).toMatchObject([{ line: 4 }]);
  });
});

/** A machine with these files, and a profile that takes all of them. */
async function machine(
  files: Record<string, string>,
  profileText = '',
): Promise<{ profile: Profile; scan: () => Promise<Scanned> }> {
  const root = at(`machine-${letters(8)}`);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text, { mode: 0o644 });
  }
  const file = `${root}.yaml`;
  writeFileSync(
    file,
    `name: test\ntools:\n  sets: []\n  include:\n${Object.keys(files)
      .map((path) => `    - ${path}\n`)
      .join('')}${profileText}`,
  );
  const profile = await loadProfile(file);
  const { sets, include } = profile.tools;
  const scan = async () => scanForSecrets(profile, await resolveTools({ sets, include, root }), {});
  return { profile, scan };
}

const refusal = (scanned: Scanned, profile: Profile): MindiError => {
  try {
    refuseSecrets(scanned, profile);
  } catch (error) {
    if (error instanceof MindiError) return error;
  }
  throw new Error('nothing was refused');
};

describe('a profile with secrets', () => {
  test('is refused: every file, with the line of the profile that brought it, without the secret', async () => {
    const { profile, scan } = await machine({
      '/etc/fine': 'a = b\n',
      '/etc/one': 'password = hunter22\n',
      '/root/two': 'RESTIC_PASSWORD=hunter22\n',
    });
    const error = refusal(await scan(), profile);
    expect(error).toMatchObject({ code: 'secrets.found', exitCode: 2 });
    expect(error.problems.map(({ message, where }) => [message, where?.split(':').slice(1).join(':')])).toEqual([
      ['/etc/one would be on the medium and holds a password or token (line 1)', '6:7'],
      ['/root/two would be on the medium and holds a backup passphrase (line 1)', '7:7'],
    ]);
    expect(JSON.stringify(error)).not.toContain('hunter22');
  });

  test('is refused for what it says itself', async () => {
    const text =
      'boot: { append: [quiet, "password=hunter22"] }\nrestore: { source: "sftp://me:hunter22@backup/srv" }\n';
    const { profile, scan } = await machine({ '/etc/fine': '' }, text);
    const error = refusal(await scan(), profile);
    expect(error.problems.map(({ message, where }) => [message, where?.split(':')[1]])).toEqual([
      ['boot.append holds a password or token', '6'],
      ['restore.source holds a password in a URL', '7'],
    ]);
    expect(JSON.stringify(error)).not.toContain('hunter22');
  });

  test('is built when access.secrets names them, with the files for their owner only', async () => {
    const text = 'access: { secrets: [/etc/one, "/root/*", boot.append] }\nboot: { append: ["password=hunter22"] }\n';
    const secret = 'password = hunter22\n';
    const { profile, scan } = await machine({ '/etc/one': secret, '/root/two': secret, '/etc/fine': 'a\n' }, text);
    const scanned = await scan();
    expect(scanned.forbidden).toEqual([]);
    expect(scanned.allowed.map(({ path }) => path)).toEqual(['boot.append', '/etc/one', '/root/two']);
    refuseSecrets(scanned, profile);
    const modes = Object.fromEntries(scanned.tools.entries.map(({ path, mode }) => [path, mode]));
    expect(modes).toMatchObject({ '/etc/one': 0o600, '/root/two': 0o600, '/etc/fine': 0o644 });
  });

  test('is read again until it is clean, and only then remembered', async () => {
    const { scan } = await machine({ '/etc/one': 'password = hunter22\n' });
    expect((await scan()).forbidden).toHaveLength(1);
    expect((await scan()).forbidden).toHaveLength(1);
    const clean = await machine({ '/etc/one': 'password = changeme\n' });
    expect((await clean.scan()).forbidden).toEqual([]);
    expect(existsSync(at('cache/clean'))).toBe(true);
    expect((await clean.scan()).forbidden).toEqual([]);
  });

  test('the built-in profile on this machine has none', async () => {
    const profile = await loadProfile('standalone');
    const tools = await resolveTools(profile.tools);
    const scanned = await scanForSecrets(profile, tools, {});
    expect(scanned.forbidden).toEqual([]);
    expect(tools.entries.length).toBeGreaterThan(100);
  });
});
