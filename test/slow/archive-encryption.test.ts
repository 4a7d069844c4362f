import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { extract } from '../../archive/extract.ts';
import { compareLive } from '../../archive/live.ts';
import { openSet } from '../../archive/set.ts';
import { verifySums } from '../../archive/sums.ts';
import { verifySet } from '../../archive/verify.ts';
import { makeAgeKey } from '../age-key.ts';
import { archiveTree, treeDifferences } from '../archive-tree.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const work = temporaryFolder('encryption');
const { key, recipient } = makeAgeKey(work);

const pattern = (length: number) => Buffer.from(Uint8Array.from({ length }, (_, n) => n * 7 + (n >> 8)));

describe('an encrypted set', () => {
  const SECRET_NAME = 'a-name-nobody-may-know';
  let tree: string;
  let sets: string;
  let passphraseFile: string;
  beforeAll(async () => {
    tree = join(work, 'tree');
    sets = join(work, 'sets');
    passphraseFile = join(work, 'passphrase');
    writeFileSync(passphraseFile, 'correct horse battery staple\n');
    mkdirSync(join(tree, 'sub'), { recursive: true });
    writeFileSync(join(tree, SECRET_NAME), SECRET_NAME);
    writeFileSync(join(tree, 'sub/big'), Buffer.alloc(3 << 20, pattern(997)));
    await archiveTree(tree, sets, {
      volume: [4 << 20],
      scratch: join(work, 'scratch'),
      encryption: { age: [recipient], passphraseFile },
    });
  });

  test('tells nothing without a key but that it is whole', async () => {
    const told = readdirSync(sets, { recursive: true, encoding: 'utf8' }).map((name) => join(sets, name));
    const contents = told.filter((path) => statSync(path).isFile()).map((path) => readFileSync(path, 'latin1'));
    expect([...told, ...contents].filter((text) => text.includes(SECRET_NAME) || text.includes('horse'))).toEqual([]);
    expect(readdirSync(join(work, 'scratch'))).toEqual([]);
    await expect(openSet(sets)).rejects.toThrow('the set is encrypted');
    expect(await verifySums(sets, () => {})).toMatchObject({ problems: [] });
  });

  test('comes back by the secret key and by the passphrase; not by another', async () => {
    for (const keys of [{ identities: [key] }, { identities: [], passphraseFile }]) {
      await using set = await openSet(sets, keys);
      expect(await verifySet(set, () => {})).toMatchObject({ problems: [], damaged: [] });
      expect(await compareLive(set)).toEqual([]);
      const to = mkdtempSync(join(work, 'out-'));
      expect((await extract(set, { paths: [], to, overwrite: false }, () => {})).failed).toEqual([]);
      expect(treeDifferences(tree, join(to, tree))).toBe('');
    }
    const stranger = join(work, 'stranger');
    execFileSync('age-keygen', ['-o', stranger], { stdio: 'ignore' });
    await expect(openSet(sets, { identities: [stranger] })).rejects.toThrow('none of the keys');
    const wrong = join(work, 'wrong');
    writeFileSync(wrong, 'wrong\n');
    await expect(openSet(sets, { identities: [], passphraseFile: wrong })).rejects.toThrow('passphrase is wrong');
  });

  test('comes back by hand as its README says', () => {
    const readme = readFileSync(join(sets, 'tree-000001/volume-001/README'), 'utf8');
    const target = join(work, 'by-hand');
    mkdirSync(target);
    const commands = /^ {4}sha256sum[\s\S]+?\n {4}done$/m.exec(readme)?.[0].replaceAll('/target', target) ?? '';
    execFileSync('bash', ['-ec', `ln -sf ${key} key; set -o pipefail; ${commands}; rm key`], {
      cwd: join(sets, 'tree-000001/volume-001'),
      stdio: 'ignore',
    });
    expect(readFileSync(join(target, tree, SECRET_NAME), 'utf8')).toBe(SECRET_NAME);
    expect(readme).toMatch(/age -d identity\.age > \/dev\/shm\/key/);
  });
});
