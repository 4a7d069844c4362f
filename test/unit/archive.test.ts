import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { extract } from '../../archive/extract.ts';
import { compareLive } from '../../archive/live.ts';
import { chooseRoots } from '../../archive/roots.ts';
import { shownPath } from '../../archive/selection.ts';
import { openSet } from '../../archive/set.ts';
import { verifySet } from '../../archive/verify.ts';
import { unquoted } from '../../archive/walk.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { parseSize, parseSpan } from '../../builder/profile/size.ts';
import { parseMountinfo } from '../../contract/mounts.ts';
import { archiveTree, makeTree, treeDifferences } from '../archive-tree.ts';

let work: string;
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'mindi-archive-'));
});
afterAll(() => rmSync(work, { recursive: true }));

describe('a set', () => {
  test('holds everything: what comes back is what was there, by mindi and by hand', async () => {
    const tree = join(work, 'tree');
    makeTree(tree);
    const result = await archiveTree(tree, join(work, 'sets'), { volume: [4 << 20] });
    expect(result.volumes).toBeGreaterThan(1);
    expect(result.troubles).toEqual({});
    await using set = await openSet(join(work, 'sets'));
    expect(await verifySet(set, () => {})).toMatchObject({ problems: [], damaged: [] });
    expect(await compareLive(set)).toEqual([]);
    const restored = join(work, 'restored');
    expect(await extract(set, { paths: [], to: restored, overwrite: false }, () => {})).toMatchObject({
      existing: [],
      failed: [],
    });
    expect(treeDifferences(tree, join(restored, tree))).toBe('');

    const byHand = join(work, 'by-hand');
    mkdirSync(byHand);
    const options = "-x -p --numeric-owner --xattrs --xattrs-include='*' --acls --warning=no-timestamp";
    const script = `for archive in ${set.folder}/volume-*/[0-9]*.tar.zst; do zstd -dc < $archive | tar ${options} -C ${byHand}; done
      for first in $(find ${byHand} -name '*.mindi-slice-000001'); do
        slices=$\{first%000001}; cat $slices* | tar ${options} -C ${byHand}; rm $slices*; touch -r ${tree} ${byHand}${tree}
      done`;
    execFileSync('bash', ['-c', script]);
    expect(treeDifferences(tree, join(byHand, tree))).toBe('');
  });

  test('a flipped byte costs the files of its frame and no others', async () => {
    await using set = await openSet(join(work, 'sets'));
    const [first] = set.catalog.prepare('SELECT number, volume FROM archives WHERE number = 1').all();
    const path = set.archivePath(Number(first?.number), Number(first?.volume));
    const bytes = readFileSync(path);
    const spoiled = Buffer.from(bytes);
    spoiled[spoiled.length - 40] = (spoiled[spoiled.length - 40] as number) ^ 1;
    writeFileSync(path, spoiled);
    const { problems, damaged } = await verifySet(set, () => {});
    expect(problems).toEqual([`${path} is damaged`]);
    const files = set.catalog.prepare('SELECT count(*) AS count FROM members').get();
    expect(damaged.length).toBeLessThan(Number(files?.count));
    const to = join(work, 'around');
    const { failed } = await extract(set, { paths: [], to, overwrite: false }, () => {});
    expect(failed.filter((text) => / is damaged/.test(text)).length).toBe(damaged.length);
    writeFileSync(path, bytes);
  });

  test('one file, and a hard link without what it is a link to', async () => {
    await using set = await openSet(join(work, 'sets'));
    const tree = join(work, 'tree');
    const to = join(work, 'some');
    const paths = [join(tree, 'sub/hard'), join(tree, 'hard'), join(tree, 'numbers')];
    const call = { paths, to, overwrite: false };
    expect((await extract(set, call, () => {})).failed).toEqual([]);
    const found = execFileSync('find', [to, '-type', 'f', '-printf', '%n %P\n']).toString().trim().split('\n').sort();
    expect(found).toEqual([`1 ${tree.slice(1)}/numbers`, `2 ${tree.slice(1)}/hard`, `2 ${tree.slice(1)}/sub/hard`]);
    expect(readFileSync(join(to, tree, 'sub/hard'), 'utf8')).toBe('plain\n');
    const again = await extract(set, call, () => {});
    expect(again).toMatchObject({ existing: expect.arrayContaining([`${tree.slice(1)}/numbers`]), failed: [] });
    await expect(extract(set, { ...call, paths: ['/nowhere'] }, () => {})).rejects.toThrow('does not have this');
  });

  test('what is excluded by path, name, tag or size is not in it; nor the set itself', async () => {
    const tree = join(work, 'excluded');
    for (const folder of ['keep', 'cache', 'tagged', 'no-cache']) mkdirSync(join(tree, folder), { recursive: true });
    for (const file of ['keep/a', 'keep/b.iso', 'cache/c', 'tagged/d', 'tagged/.nobackup', 'no-cache/CACHEDIR.TAG'])
      writeFileSync(join(tree, file), file);
    writeFileSync(join(tree, 'keep/big'), Buffer.alloc(5000));
    const more = { exclude: [join(tree, 'cache'), '*.iso'], excludeTagged: ['.nobackup', 'CACHEDIR.TAG'] };
    await archiveTree(tree, join(tree, 'sets'), { ...more, excludeLargerThan: 4096 });
    await using set = await openSet(join(tree, 'sets'));
    const rows = set.catalog.prepare('SELECT path FROM members').all();
    const paths = rows.map(({ path }) => shownPath(path as Uint8Array).slice(tree.length));
    const below = paths.filter((path) => path !== '' && !path.startsWith('/tmp'));
    expect(below.sort()).toEqual(['keep', 'keep/a', 'no-cache', 'no-cache/CACHEDIR.TAG', 'tagged']);
  });
});

describe('which file systems', () => {
  const mounts = parseMountinfo(
    [
      '20 1 8:1 / / rw - ext4 /dev/sda1 rw',
      '21 20 0:5 / /proc rw - proc proc rw',
      '22 20 8:2 / /srv/data rw - xfs /dev/sda2 rw',
      '23 20 8:1 /srv/www /srv/bind rw - ext4 /dev/sda1 rw',
      '24 20 0:50 / /srv/nfs rw - nfs4 server:/x rw',
      '25 20 0:51 / /srv/tmp rw - tmpfs tmpfs rw',
    ].join('\n'),
  );
  const roots = (filesystems: 'one' | 'local' | 'all', include = ['/srv']) =>
    chooseRoots({ include, filesystems }, mounts);

  test('one, those of this machine, those of servers; never bind mounts and what the kernel makes up', () => {
    expect(roots('one')).toEqual({ starts: ['/srv'], binds: ['/srv/bind'], pseudo: ['/srv/tmp'] });
    expect(roots('local').starts).toEqual(['/srv', '/srv/data']);
    expect(roots('all').starts).toEqual(['/srv', '/srv/data', '/srv/nfs']);
    expect(roots('one', ['/srv/tmp', '/srv/nfs'])).toEqual({ starts: ['/srv/tmp', '/srv/nfs'], binds: [], pseudo: [] });
  });
});

describe('words', () => {
  test.each([
    ['700MiB', 700 * 2 ** 20],
    ['650m', 650 * 2 ** 20],
    ['4.7GB', 4.7e9],
    ['25G', 25 * 2 ** 30],
    ['4480', 4480],
    ['much', null],
    ['-1m', null],
  ])('a size of %s', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  test.each([
    ['90d', 129_600],
    ['12h', 720],
    ['2x', null],
  ])('a time of %s', (text, minutes) => expect(parseSpan(text)).toBe(minutes));

  test('a profile that says it wrongly is told everything at its line', async () => {
    const file = join(work, 'wrong.yaml');
    writeFileSync(
      file,
      'name: x\narchive:\n  include: [srv]\n  volume: 1k\n  excludeLargerThan: huge\n  level: 12\n  compression: gzip\n',
    );
    const error = await loadProfile(file).then(
      () => null,
      (thrown) => thrown,
    );
    expect(error.problems.map(({ where }: { where: string }) => where.split(':').slice(-2).join(':'))).toEqual([
      '3:13',
      '4:11',
      '5:22',
      '6:10',
    ]);
  });

  test('names in messages of programs, and paths for terminals', () => {
    expect(unquoted("a\\nb\\\\c\\303\\274\\'")).toBe("a\nb\\c\xc3\xbc'");
    expect(shownPath(Buffer.from('ü\\\n\x1b', 'utf8'))).toBe('ü\\\\\\n\\033');
    expect(shownPath(Buffer.from([0x61, 0xff]))).toBe('a\\377');
  });

  test('an empty place has no set', async () => {
    await expect(openSet(work)).rejects.toThrow();
    expect(readdirSync(work).length).toBeGreaterThan(0);
  });
});
