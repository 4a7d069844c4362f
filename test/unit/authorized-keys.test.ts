import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scratch } from '../../builder/scratch.ts';
import { parseAuthorizedKeys } from '../../contract/authorized-keys.ts';

/** A new public key of OpenSSH's own, and the private one. */
async function newKey(type: string): Promise<{ line: string; secret: string }> {
  await using work = await scratch('key');
  const file = join(work.path, 'key');
  execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', 'anna at home', '-f', file]);
  return { line: readFileSync(`${file}.pub`, 'utf8').trim(), secret: readFileSync(file, 'utf8') };
}

describe('authorized keys', () => {
  test('keys as ssh-keygen writes them, with options before them, among comments', async () => {
    const lines = [(await newKey('ed25519')).line, (await newKey('ecdsa')).line];
    const [one = ''] = lines;
    const optional = [`restrict,command="echo \\"ssh-rsa\\" x" ${one}`, `no-pty ${one}`, one.replace(/ anna.*/, '')];
    const text = `# ours\r\n\r\n${[...lines, ...optional].join('\r\n')}\r\n`;
    expect(parseAuthorizedKeys(text)).toEqual({ lines: [...lines, ...optional], problems: [] });
  });

  test('what is none is told by its line, and what is wrong with it', async () => {
    const { line, secret } = await newKey('ed25519');
    const wrong = [line.slice(0, 60), line.replace('ssh-ed25519', 'ssh-rsa'), 'ssh-dss AAAAB3NzaC1kc3M= old', 'hello'];
    const { lines, problems } = parseAuthorizedKeys([line, ...wrong, `${line}\x1b[2J`].join('\n'));
    expect(lines).toEqual([line]);
    expect(problems).toEqual([
      { line: 2, why: expect.stringMatching(/damaged/) },
      { line: 3, why: expect.stringMatching(/damaged/) },
      { line: 4, why: expect.stringMatching(/ssh-dss/) },
      { line: 5, why: expect.stringMatching(/none that OpenSSH knows/) },
      { line: 6, why: expect.stringMatching(/none that OpenSSH knows/) },
    ]);
    const [problem, ...more] = parseAuthorizedKeys(secret).problems;
    expect(problem?.why).toMatch(/private one/);
    expect(more).toEqual([]);
  });

  test('any text gives an answer', () => {
    const base64 = fc.uint8Array().map((bytes) => `ssh-ed25519 ${Buffer.from(bytes).toString('base64')}`);
    fc.assert(
      fc.property(fc.oneof(fc.string(), base64), (text) => {
        expect(parseAuthorizedKeys(text).lines).toEqual([]);
      }),
    );
  });
});
