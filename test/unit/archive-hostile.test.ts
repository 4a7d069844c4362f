import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { extract } from '../../archive/extract.ts';
import { shownPath } from '../../archive/selection.ts';
import { openSet } from '../../archive/set.ts';
import { verifySums } from '../../archive/sums.ts';
import { verifySet } from '../../archive/verify.ts';
import { MindiError } from '../../contract/error.ts';
import { readHeader } from '../../contract/tar.ts';
import { parseVolume } from '../../contract/volume.ts';
import { archiveTree } from '../archive-tree.ts';

/** Sets as somebody might make them who wants to do harm: sums right, contents not mindi's. */
let work: string;
let tree: string;
let sets: string;
beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'mindi-hostile-'));
  tree = join(work, 'tree');
  sets = join(work, 'sets');
  mkdirSync(join(tree, 'sub'), { recursive: true });
  writeFileSync(join(tree, 'sub/file'), 'file');
  await archiveTree(tree, sets, { method: 'none', level: 0 });
});
afterAll(() => rmSync(work, { recursive: true }));

const VOLUME = 'tree-000001/volume-001';
const CATALOG = 'catalog.sqlite.zst';

/** A copy of the set's directory in which something was changed; its sums are right again. */
function forged(change: (volume: string) => void): string {
  const place = mkdtempSync(join(work, 'forged-'));
  cpSync(sets, place, { recursive: true });
  const volume = join(place, VOLUME);
  change(volume);
  const names = ['000001.tar', CATALOG, 'README', 'mindi/volume.json'];
  const line = (name: string) =>
    `${createHash('sha256')
      .update(readFileSync(join(volume, name)))
      .digest('hex')}  ${name}\n`;
  writeFileSync(join(volume, 'SHA256SUMS'), names.map(line).join(''));
  return place;
}

function changeCatalog(volume: string, change: (catalog: DatabaseSync) => void): void {
  const plain = join(volume, 'plain');
  writeFileSync(plain, zstdDecompressSync(readFileSync(join(volume, CATALOG))));
  const catalog = new DatabaseSync(plain);
  change(catalog);
  catalog.close();
  writeFileSync(join(volume, CATALOG), zstdCompressSync(readFileSync(plain)));
  rmSync(plain);
}

const withCatalog = (sql: string) => forged((volume) => changeCatalog(volume, (catalog) => catalog.exec(sql)));

/** Opens, verifies and extracts; what stopped it. */
async function everything(place: string, to = mkdtempSync(join(work, 'out-'))) {
  await using set = await openSet(place);
  const verified = await verifySet(set, () => {});
  const extracted = await extract(set, { paths: [], to, overwrite: false }, () => {});
  return { verified, extracted };
}

describe('a catalog', () => {
  test.each([
    ['a view', 'ALTER TABLE members RENAME TO m; CREATE VIEW members AS SELECT * FROM m'],
    ['a trigger', 'CREATE TRIGGER t AFTER INSERT ON facts BEGIN DELETE FROM facts; END'],
    ['a table more', 'CREATE TABLE more (x)'],
    [
      'a column that is computed',
      'DROP TABLE slices; CREATE TABLE slices (member, number, archive, start, length AS (1))',
    ],
    ['text for a size', "UPDATE members SET size = 'x'"],
    ['no path', 'UPDATE members SET path = NULL'],
    ['a number no double holds', 'UPDATE members SET size = 9223372036854775807'],
    ['a negative place', 'UPDATE members SET start = -1'],
    ['a path for a number', "DELETE FROM archives; INSERT INTO archives VALUES (1, '../../..', 1, 1, x'00')"],
    ['a frame of a terabyte', 'UPDATE frames SET size = 1099511627776'],
    ['a frame that becomes one', 'UPDATE frames SET length = 1099511627776'],
    ['words for flags', "UPDATE members SET flags = 'i -R /'"],
    ['escapes for a time', "UPDATE members SET mtime = char(27) || '[2J'"],
    ['a kind of file that is none', "UPDATE members SET type = 'door'"],
  ])('with %s is refused with a sentence', async (_, sql) => {
    const error = await everything(withCatalog(sql)).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(MindiError);
    expect(error).toMatchObject({ code: 'set.catalog', exitCode: 1 });
  });

  test.each([
    ['no database', Buffer.from('no database at all, but long enough to be looked at')],
    ['a gigabyte of zeros', zstdCompressSync(Buffer.alloc(1 << 28))],
  ])('that is %s is refused', async (_, bytes) => {
    const place = forged((volume) =>
      writeFileSync(join(volume, CATALOG), bytes[0] === 0x28 ? bytes : zstdCompressSync(bytes)),
    );
    await expect(openSet(place)).rejects.toMatchObject({ code: 'set.catalog' });
    const raw = forged((volume) => writeFileSync(join(volume, CATALOG), 'not zstd'));
    await expect(openSet(raw)).rejects.toMatchObject({ code: 'set.catalog' });
  });

  test('whose members are longer than their archive, or overlap: nothing is made up', async () => {
    for (const sql of [
      'UPDATE members SET length = 1125899906842624',
      'UPDATE frames SET start = 7',
      'UPDATE members SET archive = 77',
      'UPDATE members SET start = start + 512',
    ]) {
      const { verified, extracted } = await everything(withCatalog(sql));
      expect(verified.damaged.length + extracted.failed.length).toBeGreaterThan(0);
    }
  });
});

describe('an archive', () => {
  /** Puts a tar archive in place of the set's, with these members in the catalog. */
  function smuggled(bytes: Buffer, members: [path: string, type: string, start: number, length: number][]): string {
    return forged((volume) => {
      writeFileSync(join(volume, '000001.tar'), bytes);
      changeCatalog(volume, (catalog) => {
        catalog.exec('DELETE FROM frames; DELETE FROM members');
        catalog.prepare('INSERT INTO frames VALUES (1, 0, ?, 0, ?, ?)').run(bytes.length, bytes.length, crc32(bytes));
        const sha256 = createHash('sha256').update(bytes).digest();
        catalog.prepare('UPDATE archives SET size = ?, length = ?, sha256 = ?').run(bytes.length, bytes.length, sha256);
        const insert = catalog.prepare(
          "INSERT INTO members (path, type, mode, uid, gid, size, mtime, archive, start, length, slices, inode) VALUES (?, ?, 420, 0, 0, 0, '0', 1, ?, ?, 1, 0)",
        );
        for (const [path, type, start, length] of members) insert.run(Buffer.from(path), type, start, length);
      });
    });
  }

  /** A target in which `sub` leads to another directory. */
  function trap() {
    const to = mkdtempSync(join(work, 'trap-'));
    const outside = mkdtempSync(join(work, 'outside-'));
    symlinkSync(outside, join(to, 'sub'));
    utimesSync(outside, 1, 1);
    return { to, outside };
  }

  /** As GNU tar writes them. */
  function tarOf(script: string, names: string): Buffer {
    const folder = mkdtempSync(join(work, 'from-'));
    const tar = `${script}; tar --format=pax -b1 --no-recursion -cf - ${names}`;
    return execFileSync('bash', ['-ec', tar], { cwd: folder });
  }

  async function expectNothingOutside(place: string) {
    const { to, outside } = trap();
    const { extracted } = await everything(place, to);
    expect({ files: readdirSync(outside), time: statSync(outside).mtimeMs }).toEqual({ files: [], time: 1000 });
    expect(extracted.failed.length + extracted.existing.length).toBeGreaterThan(0);
    return { to, extracted };
  }

  const PAX = 1024;

  test('with a member hidden behind another one', async () => {
    const bytes = tarOf('mkdir sub; echo x > a; echo evil > sub/evil', 'a sub/evil');
    await expectNothingOutside(smuggled(bytes, [['a', 'file', 0, bytes.length - 1024]]));
  });

  test('with a header for all that follow, or two of one member', async () => {
    const bytes = tarOf('mkdir sub; echo evil > a', 'a');
    const global = execFileSync(
      'tar',
      ['--format=pax', '--pax-option=globexthdr.name=x,path=sub/evil', '-cf', '-', '/dev/null'],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const head = global.subarray(0, PAX);
    expect(String.fromCharCode(head[156] as number)).toBe('g');
    await expectNothingOutside(smuggled(Buffer.concat([head, bytes]), [['a', 'file', 0, PAX + bytes.length - 1024]]));
    expect(() => readHeader(Buffer.concat([head, bytes]), 0, PAX + bytes.length)).toThrow('unknown type "g"');
    const twice = Buffer.concat([bytes.subarray(0, PAX), bytes]);
    expect(() => readHeader(twice, 0, twice.length)).toThrow('two extended headers');
  });

  test('with a wrong sum, at which tar would look for headers in the data', async () => {
    const bytes = tarOf('mkdir sub; echo evil > sub/evil; tar --format=ustar -b1 -cf a sub/evil', 'a');
    bytes[PAX + 148] = 0x37;
    await expectNothingOutside(smuggled(bytes, [['a', 'file', 0, bytes.length - 1024]]));
  });

  test('with a link of its own and something behind it; a directory where a link is', async () => {
    const bytes = tarOf(
      'mkdir sub; ln -s sub a; echo evil > file; mkdir -m 777 d',
      '--transform=s,file,a/evil, --transform=s,^d$,sub, a file d',
    );
    const member = (path: string) => {
      for (let at = 0; at < bytes.length; ) {
        const header = readHeader(bytes, at, bytes.length);
        if (header === 'more' || header === 'end') break;
        const length = header.headers + 512 * Math.ceil(header.data / 512);
        if (header.path.toString() === path) return [at, length] as const;
        at += length;
      }
      throw new Error(path);
    };
    const { to, extracted } = await expectNothingOutside(
      smuggled(bytes, [
        ['a', 'symlink', ...member('a')],
        ['a/evil', 'file', ...member('a/evil')],
        ['sub', 'directory', ...member('sub')],
      ]),
    );
    expect(extracted.failed).toContainEqual('a/evil leads out of the target: left out');
    expect(extracted.existing).toEqual(['sub']);
    expect(readdirSync(to).sort()).toEqual(['a', 'sub']);
  });
});

describe('a volume', () => {
  test('that says it is one of more than there can be is none', () => {
    const volume = { format: 1, set: 'x', number: 1, of: 2 ** 50, machine: 'm', created: '2026-01-01' };
    expect(parseVolume(JSON.stringify(volume))).toBeNull();
    expect(parseVolume(JSON.stringify({ ...volume, of: 1000 }))).toMatchObject({ of: 1000 });
  });

  test('with pipes for files does not hang', async () => {
    const place = forged(() => {});
    for (const name of ['README', '000001.tar', 'mindi/volume.json']) {
      rmSync(join(place, VOLUME, name));
      execFileSync('mkfifo', [join(place, VOLUME, name)]);
    }
    expect((await verifySums(place, () => {})).id).toBe('');
    cpSync(join(sets, VOLUME, 'mindi/volume.json'), join(place, VOLUME, 'mindi/volume.json'), { force: true });
    const { verified } = await everything(place);
    expect(verified.problems).toHaveLength(2);
  });
});

test('what turns the text round or hides is shown as codes', () => {
  expect(shownPath(Buffer.from('a\u202egpj.exe\u200b\u009b2J'))).toBe(
    'a\\342\\200\\256gpj.exe\\342\\200\\213\\302\\2332J',
  );
  expect(shownPath(Buffer.from('größe 日本'))).toBe('größe 日本');
});

test('thousands of paths in one call, and which of them are not there', async () => {
  await using set = await openSet(sets);
  const paths = Array.from({ length: 20_000 }, () => join(tree, 'sub'));
  const to = mkdtempSync(join(work, 'many-'));
  expect(await extract(set, { paths, to, overwrite: false }, () => {})).toMatchObject({ failed: [], existing: [] });
  expect(readFileSync(join(to, tree, 'sub/file'), 'utf8')).toBe('file');
  const some = [...paths, '/nowhere', join(tree, 'su')];
  const error = await extract(set, { paths: some, to, overwrite: false }, () => {}).catch((thrown) => thrown);
  expect(error.problems.map(({ where }: MindiError) => where)).toEqual(['/nowhere', join(tree, 'su')]);
});
