import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Decrypter } from 'age-encryption';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { setKeys } from '../../archive/encryption/keys.ts';
import { Sealer } from '../../archive/encryption/seal.ts';
import { SealedFile } from '../../archive/encryption/sealed-file.ts';
import { makeAgeKey } from '../age-key.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const work = temporaryFolder('encryption');
const { key, recipient } = makeAgeKey(work);

const CHUNK = 65_536;
const pattern = (length: number) => Buffer.from(Uint8Array.from({ length }, (_, n) => n * 7 + (n >> 8)));

function sealed(bytes: Buffer, recipients = [recipient]): Buffer {
  const sealer = new Sealer(recipients);
  return Buffer.concat([sealer.head, ...sealer.update(bytes), sealer.end()]);
}

async function opened(bytes: Buffer): Promise<SealedFile> {
  const path = join(work, 'opened');
  writeFileSync(path, bytes);
  const decrypter = new Decrypter();
  decrypter.addIdentity(/AGE-SECRET-KEY-\S+/.exec(readFileSync(key, 'utf8'))?.[0] ?? '');
  const file = openSync(path, 'r');
  try {
    return await SealedFile.open(file, decrypter);
  } finally {
    files.push(file);
  }
}
const files: number[] = [];
afterAll(() => {
  for (const file of files) closeSync(file);
});

describe("age's format", () => {
  test.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])(
    '%i bytes: age and mindi open what the other wrote',
    async (length) => {
      const bytes = pattern(length);
      const second = join(work, 'second.txt');
      if (!existsSync(second)) execFileSync('age-keygen', ['-o', second], { stdio: 'ignore' });
      const other = execFileSync('age-keygen', ['-y', second]).toString().trim();
      const ours = sealed(bytes, [other, recipient]);
      for (const identity of [key, second])
        expect(execFileSync('age', ['-d', '-i', identity], { input: ours }).equals(bytes)).toBe(true);
      const theirs = execFileSync('age', ['-r', other, '-r', recipient], { input: bytes });
      expect(Buffer.concat([...(await opened(theirs)).all()]).equals(bytes)).toBe(true);
    },
  );

  test('any piece is read alone; a flipped byte costs its chunk, a lost end the last ones', async () => {
    const length = 3 * CHUNK + 100;
    const bytes = pattern(length);
    const file = sealed(bytes);
    const start = file.length - length - 4 * 16;
    await fc.assert(
      fc.asyncProperty(fc.nat(length - 1), fc.nat(length), fc.nat(file.length - start - 1), async (at, more, flip) => {
        const size = Math.min(more, length - at);
        const spoiled = Buffer.from(file);
        spoiled[start + flip] = (spoiled[start + flip] as number) ^ 0x80;
        const damaged = Math.floor(flip / (CHUNK + 16));
        const touched = size > 0 && damaged >= Math.floor(at / CHUNK) && damaged <= Math.floor((at + size - 1) / CHUNK);
        const whole = (await opened(file)).read(at, size);
        expect(whole?.equals(bytes.subarray(at, at + size))).toBe(true);
        expect((await opened(spoiled)).read(at, size) === null).toBe(touched);
      }),
      { numRuns: 30 },
    );
    const cut = await opened(file.subarray(0, start + 2 * (CHUNK + 16)));
    expect([cut.read(0, CHUNK)?.length, cut.read(CHUNK, 1)]).toEqual([CHUNK, null]);
    expect((await opened(file)).read(length - 1, 2)).toBeNull();
  });

  test('a header that is none, or for somebody else', async () => {
    await expect(opened(Buffer.from('age-encryption.org/v1\n-> X25519'))).rejects.toThrow('header is damaged');
    await expect(opened(Buffer.alloc(0))).rejects.toThrow('header is damaged');
    const spoiled = sealed(Buffer.from('x'));
    spoiled[60] = (spoiled[60] as number) ^ 1;
    await expect(opened(spoiled)).rejects.toThrow();
    const stranger = execFileSync('bash', ['-c', 'age-keygen 2>/dev/null | age-keygen -y']).toString().trim();
    await expect(opened(sealed(Buffer.from('x'), [stranger]))).rejects.toThrow('none of the keys');
  });
});

test('what is no public key is told, all at once', async () => {
  const empty = join(work, 'empty');
  writeFileSync(empty, '# nothing\n');
  const error = await setKeys({ age: [key, empty, join(work, 'nowhere')], passphraseFile: null }).catch(
    (thrown) => thrown,
  );
  expect(error.problems.map(({ message }: Error) => message)).toEqual([
    expect.stringMatching(/is a secret key/),
    expect.stringMatching(/no public key/),
    expect.stringMatching(/cannot be read: ENOENT/),
  ]);
});
