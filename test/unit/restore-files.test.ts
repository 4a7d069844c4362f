import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Piece } from '../../builder/piece.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { authorities, restoreFiles } from '../../builder/restore-files.ts';
import { scanForSecrets } from '../../builder/secrets/scan.ts';

const work = mkdtempSync(join(tmpdir(), 'mindi-test-'));
afterAll(() => rmSync(work, { recursive: true }));
const NOTHING: Piece = { entries: [], contents: new Map() };

let made = 0;
function file(text: string): string {
  made += 1;
  writeFileSync(join(work, `${made}`), text);
  return `./${made}`;
}
async function profileWith(text: string) {
  return loadProfile(join(work, file(`name: test\n${text}\n`)));
}
function key(passphrase: string): string {
  made += 1;
  const path = join(work, `${made}`);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-f', path]);
  return `./${made}`;
}
const texts = ({ entries, contents }: Piece) =>
  entries.map((entry) => {
    const content = entry.type === 'file' ? contents.get(entry.sha256) : undefined;
    return content?.from === 'bytes' ? String(Buffer.from(content.bytes)) : '';
  });

describe('password and key of a restore source', () => {
  test('are on the medium, for root alone, where access.secrets names them', async () => {
    const fields = `restore: { passwordFile: ${file('pa ss\nmore\n')}, keyFile: ${key('')} }`;
    const profile = await profileWith(`${fields}\naccess: { secrets: [restore.passwordFile] }`);
    const { piece, secrets } = await restoreFiles(profile);
    expect(piece.entries).toMatchObject([
      { path: '/etc/mindi/restore-password', mode: 0o600 },
      { path: '/etc/mindi/restore-key', mode: 0o600 },
    ]);
    expect(texts(piece)[0]).toBe('pa ss\nmore\n');
    const { allowed, forbidden } = await scanForSecrets(profile, NOTHING, {}, secrets);
    expect(allowed.map(({ path }) => path)).toEqual(['restore.passwordFile']);
    expect(forbidden.map(({ path, kind }) => `${path} ${kind}`)).toEqual(['restore.keyFile a private key']);
  });

  test.each([
    ['passwordFile', () => './nothing', 'cannot be read'],
    ['passwordFile', () => file('\nsecret\n'), 'has no password in its first line'],
    ['keyFile', () => file('ssh-ed25519 AAAA\n'), 'holds no private key'],
    ['keyFile', () => key('long enough'), 'is protected by a passphrase'],
  ])('%s that is of no use is told with its place', async (field, path, why) => {
    const profile = await profileWith(`restore: { ${field}: ${path()} }`);
    await expect(restoreFiles(profile)).rejects.toMatchObject({
      message: expect.stringContaining(why),
      where: expect.stringMatching(/:2:\d+$/),
    });
  });

  test('a host key that is no fingerprint is refused', async () => {
    await expect(profileWith('restore: { hostKey: "MD5:aa" }')).rejects.toThrow('hostKey');
  });
});

describe('authorities of a profile', () => {
  test('stand at the end of the list of the medium', async () => {
    const words = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      '/CN=x',
    ];
    const pem = execFileSync('openssl', [...words, '-keyout', '/dev/null'], { encoding: 'utf8', stdio: 'pipe' });
    const profile = await profileWith(`network: { authorities: [${file(`of ours\n${pem}`)}] }`);
    const list = { type: 'file', path: '/etc/pki/tls/certs/ca-bundle.crt', sha256: 'a' };
    const path = join(work, file('there before\n'));
    const tools = { entries: [list], contents: new Map([['a', { from: 'file', path }]]) } as unknown as Piece;
    const piece = await authorities(profile, tools);
    expect(piece.entries).toMatchObject([{ path: list.path, mode: 0o644 }]);
    expect(texts(piece)).toEqual([`there before\n${pem}`]);
    expect(await authorities(await profileWith(''), tools)).toEqual(NOTHING);
  });

  test('without a certificate are told', async () => {
    for (const text of ['nothing', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])
      await expect(
        authorities(await profileWith(`network: { authorities: [${file(text)}] }`), NOTHING),
      ).rejects.toMatchObject({ code: 'network.authority', where: expect.stringMatching(/:2:26$/) });
  });
});
