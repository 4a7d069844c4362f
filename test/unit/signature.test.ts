import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { type SigningKey, sign, signingKey, trustedKey } from '../../builder/trust/sign.ts';
import { type PublicKey, parsePublicKey, verifySignature } from '../../contract/signature.ts';
import { signAtTerminal } from '../passphrase.ts';

const KINDS = ['minisign', 'ssh'] as const;
const DATA = Buffer.from('{"format": 1}\n');

let work: Scratch;
const at = (name: string) => join(work.path, name);
const tool = (program: string, args: string[], input = '') =>
  execFileSync(program, args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });

/** Keys made by the foreign tools. */
beforeAll(async () => {
  work = await scratch('test');
  for (const name of ['one', 'other']) {
    tool('minisign', ['-G', '-W', '-f', '-p', at(`${name}.minisign.pub`), '-s', at(`${name}.minisign`)]);
    tool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'a comment', '-f', at(`${name}.ssh`)]);
  }
  // minisign takes seconds and a GiB to lock a key; here it only has to look like one.
  const open = readFileSync(at('one.minisign'), 'utf8').split('\n');
  const bytes = Buffer.from(open[1] ?? '', 'base64');
  bytes.write('Sc', 2);
  writeFileSync(at('locked.minisign'), `${open[0]}\n${bytes.toString('base64')}\n`);
  tool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'phrase', '-f', at('locked.ssh')]);
});
afterAll(() => work[Symbol.asyncDispose]());

const publicKey = (name: string, kind: string) =>
  parsePublicKey(readFileSync(at(`${name}.${kind}.pub`), 'utf8')) as PublicKey;
const signed = async (kind: string, name = 'web1.sha256sums') =>
  sign({ name, bytes: DATA }, await signingKey(at(`one.${kind}`)), publicKey('one', kind));

describe.each(KINDS)('signatures of %s', (kind) => {
  test('are taken by their own program, and by us', async () => {
    const { suffix, text } = await signed(kind);
    writeFileSync(at('data'), DATA);
    writeFileSync(at(`data${suffix}`), text);
    if (kind === 'minisign') {
      expect(tool('minisign', ['-V', '-p', at('one.minisign.pub'), '-m', at('data')])).toContain('verified');
    } else {
      const [type, key] = readFileSync(at('one.ssh.pub'), 'utf8').split(' ');
      writeFileSync(at('allowed'), `me@example.org ${type} ${key}\n`);
      const args = [
        '-Y',
        'verify',
        '-f',
        at('allowed'),
        '-I',
        'me@example.org',
        '-n',
        'mindi',
        '-s',
        at(`data${suffix}`),
      ];
      expect(execFileSync('ssh-keygen', args, { input: DATA, encoding: 'utf8' })).toContain('Good "mindi" signature');
    }
    expect(verifySignature(DATA, text, publicKey('one', kind))).toBeNull();
  });

  test('are the same at every time', async () => {
    expect(await signed(kind)).toEqual(await signed(kind));
  });

  test('of another key, or of other bytes, are refused', async () => {
    const { text } = await signed(kind);
    expect(verifySignature(DATA, text, publicKey('other', kind))).toBe('it is signed with another key');
    expect(verifySignature(Buffer.from('{"format": 2}\n'), text, publicKey('one', kind))).toBe(
      'it is not what was signed',
    );
  });

  test('with any other character in them are refused', async () => {
    const { text } = await signed(kind);
    const key = publicKey('one', kind);
    fc.assert(
      fc.property(fc.nat(text.trimEnd().length - 1), fc.constantFrom(...'Aa0/+=\n x'), (index, character) => {
        const changed = text.slice(0, index) + character + text.slice(index + 1);
        // Free text: minisign's untrusted comment. Free form: where OpenSSH's lines break.
        const free = kind === 'minisign' ? index < text.indexOf('\n') : /\s/.test(character + (text[index] ?? ''));
        fc.pre(changed !== text && !free);
        expect(verifySignature(DATA, changed, key)).not.toBeNull();
      }),
      { numRuns: 150 },
    );
  });

  test('may be any bytes at all', () => {
    const key = publicKey('one', kind);
    const armoured = fc
      .base64String()
      .map((text) => `-----BEGIN SSH SIGNATURE-----\n${text}\n-----END SSH SIGNATURE-----`);
    const magic = fc.uint8Array().map((bytes) => {
      const blob = Buffer.concat([Buffer.from('SSHSIG\0\0\0\x01'), bytes]).toString('base64');
      return `-----BEGIN SSH SIGNATURE-----\n${blob}\n-----END SSH SIGNATURE-----`;
    });
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), armoured, magic), (text) => {
        expect(verifySignature(DATA, text, key)).not.toBeNull();
        parsePublicKey(text);
      }),
    );
  });

  test('of a key that is not the profile’s are not written', async () => {
    const signing = sign({ name: 'x', bytes: DATA }, await signingKey(at(`one.${kind}`)), publicKey('other', kind));
    await expect(signing).rejects.toMatchObject({ code: 'sign.other-key', where: at(`one.${kind}`) });
  });

  test('need a passphrase, which nobody can type here', async () => {
    await expect(signingKey(at(`locked.${kind}`))).rejects.toMatchObject({ code: 'sign.passphrase' });
  });

  test('of a public key are refused where a secret one is due', async () => {
    if (kind === 'ssh') expect(await signingKey(at('one.ssh.pub'))).toMatchObject({ kind: 'ssh', encrypted: false });
    else await expect(signingKey(at('one.minisign.pub'))).rejects.toMatchObject({ code: 'sign.key' });
  });
});

describe('keys', () => {
  test("OpenSSH's passphrase is asked for on the terminal", async () => {
    const text = await signAtTerminal(at('locked.ssh'), 'phrase', work.path);
    expect(verifySignature(Buffer.from('abc'), text, publicKey('locked', 'ssh'))).toBeNull();
  });

  test('an OpenSSH signature for another purpose is refused', () => {
    writeFileSync(at('mail'), DATA);
    tool('ssh-keygen', ['-q', '-Y', 'sign', '-f', at('one.ssh'), '-n', 'email', at('mail')]);
    const text = readFileSync(at('mail.sig'), 'utf8');
    expect(verifySignature(DATA, text, publicKey('one', 'ssh'))).toMatch(/another purpose \("email"\)/);
  });

  test("minisign's older signatures, of the bytes themselves, are taken", () => {
    writeFileSync(at('legacy'), DATA);
    tool('minisign', ['-S', '-l', '-s', at('one.minisign'), '-m', at('legacy')]);
    const text = readFileSync(at('legacy.minisig'), 'utf8');
    expect(verifySignature(DATA, text, publicKey('one', 'minisign'))).toBeNull();
  });

  test('are given as a line or as a file', async () => {
    for (const kind of KINDS) {
      const file = at(`one.${kind}.pub`);
      const fromFile = await trustedKey(file, 'here');
      expect(await trustedKey(fromFile?.line ?? '', 'here')).toEqual(fromFile);
      expect(fromFile?.key).toEqual(publicKey('one', kind));
    }
    expect(await trustedKey(null, 'here')).toBeNull();
    await expect(trustedKey('RWnonsense', 'p.yaml:3:4')).rejects.toMatchObject({ where: 'p.yaml:3:4' });
  });

  test('what is none, or gone, or open to everybody', async () => {
    await expect(signingKey(at('gone'))).rejects.toMatchObject({ code: 'sign.key', where: at('gone') });
    writeFileSync(at('text'), 'hello\n');
    await expect(signingKey(at('text'))).rejects.toMatchObject({ code: 'sign.key' });
    writeFileSync(at('open.ssh'), readFileSync(at('one.ssh')), { mode: 0o644 });
    const open: SigningKey = await signingKey(at('open.ssh'));
    await expect(sign({ name: 'x', bytes: DATA }, open, null)).rejects.toMatchObject({
      code: 'sign.failed',
      exitCode: 2,
    });
  });
});
