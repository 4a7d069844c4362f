import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { authorizedKeysPiece } from '../../builder/authorized-keys.ts';
import { loadProfile } from '../../builder/profile/load.ts';
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

  test('the medium gets each key once, as sshd reads them; all that is wrong with the profile is told at once', async () => {
    await using work = await scratch('keys');
    const [one, two] = [(await newKey('ed25519')).line, (await newKey('ed25519')).line];
    const profile = async (...items: string[]) => {
      const list = items.map((item) => `    - ${JSON.stringify(item)}\n`).join('');
      const file = join(work.path, 'p.yaml');
      writeFileSync(file, `name: p\nextends: minimal\naccess:\n  authorizedKeys:\n${list}`);
      return loadProfile(file);
    };
    writeFileSync(join(work.path, 'team.pub'), `# team\n${one}\n${two}\n`);
    const { entries, contents } = await authorizedKeysPiece(await profile(one, 'team.pub'));
    expect(entries).toMatchObject([{ path: '/etc/mindi/authorized_keys', mode: 0o600 }]);
    const [content] = contents.values();
    expect(content?.from === 'bytes' && String(content.bytes)).toBe(`${one}\n${two}\n`);
    expect((await authorizedKeysPiece(await loadProfile('minimal'))).entries).toEqual([]);

    writeFileSync(join(work.path, 'bad.pub'), `${one}\n${two.slice(0, 50)}\n`);
    const error = await authorizedKeysPiece(await profile('bad.pub', 'nobody.pub', two.slice(0, 60))).catch((e) => e);
    expect(error.problems).toMatchObject([
      { message: expect.stringContaining('damaged'), where: expect.stringMatching(/bad\.pub:2$/) },
      { message: expect.stringContaining('cannot be read'), where: expect.stringMatching(/p\.yaml:6:/) },
      { message: expect.stringContaining('damaged'), where: expect.stringMatching(/p\.yaml:7:/) },
    ]);
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
