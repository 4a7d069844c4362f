import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { indexFile } from '../src/index-file.ts';
import { IndexReader } from '../src/index-reader.ts';
import { AliasIndex, globMatch, KmodError, METADATA_FILES, ModuleTree, parseModprobeConfig } from '../src/tree.ts';

/** Text made of what these files are made of, so that it often gets past the first check. */
const lineish = fc
  .array(
    fc.oneof(
      fc.constantFrom('kernel/a.ko', 'kernel/b-c.ko.xz', 'updates/a.ko', ':', ' ', '\n', 'alias ', 'softdep ', 'pre:'),
      fc.constantFrom('post:', 'weakdep ', 'pci:v1d*', '[a-', '*', '\0', 'a.alias=x', '#', '\\\n', 'install ', 'a'),
      fc.string({ unit: 'binary', maxLength: 6 }),
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(''));

const SOME = ['pci:v1d*', 'pci:v1d2*', 'acpi*:X:*', 'a[b-c]?', 'a'].map((key, i) => ({
  key,
  value: `m${i}`,
  priority: i,
}));

describe('no input makes the readers throw anything but KmodError', () => {
  it('modules.* and what is asked of them', () => {
    const texts = fc.record(Object.fromEntries(METADATA_FILES.map((file) => [file, lineish])));
    fc.assert(
      fc.property(texts, lineish, (files, query) => {
        try {
          const tree = ModuleTree.fromTexts(files);
          tree.closure([...tree.names, query]);
          tree.select(query);
          tree.matchAlias(query);
          for (const name of tree.names) tree.loadOrder(name);
        } catch (error) {
          expect(error).toBeInstanceOf(KmodError);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('an index of aliases', () => {
    const [sound, wrong] = [indexFile(SOME), fc.uint8Array({ minLength: 1, maxLength: 8 })];
    fc.assert(
      fc.property(fc.nat(sound.length - 1), wrong, lineish, (at, bytes, query) => {
        const damaged = Buffer.from(sound);
        damaged.set(bytes.subarray(0, damaged.length - at), at);
        try {
          new IndexReader(damaged).match(query);
        } catch (error) {
          expect(error).toBeInstanceOf(KmodError);
        }
      }),
    );
  });

  it('modprobe.d', () => {
    fc.assert(fc.property(lineish, (text) => void parseModprobeConfig([{ name: 'x.conf', text }])));
  });
});

describe('alias matching', () => {
  const piece = fc.constantFrom(
    '*',
    '?',
    '[a-c]',
    '[!a]',
    'a',
    'b',
    'pci:v0000',
    'acpi',
    ':PNP0C0A:',
    'd',
    '-',
    '_',
    'of:N',
  );
  const pattern = fc.array(piece, { minLength: 1, maxLength: 7 }).map((parts) => parts.join(''));
  const text = fc
    .array(fc.constantFrom('a', 'b', 'd', 'pci:v0000', 'acpi', ':PNP0C0A:', '-', '_', 'of:N'), { maxLength: 8 })
    .map((parts) => parts.join(''));

  it('finds by index exactly what comparing every pattern finds', () => {
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 12 }), text, (patterns, query) => {
        const aliases = patterns.map((each, i) => ({ pattern: each, name: `m${i}` }));
        const folded = (each: string) => each.replace(/\[[^\]]*\]|-/g, (part) => (part === '-' ? '_' : part));
        const all = aliases.filter((alias) => globMatch(folded(alias.pattern), folded(query))).map(({ name }) => name);
        expect(new AliasIndex(aliases).match(query)).toEqual(all);
        const written = aliases.map((one, i) => ({ key: folded(one.pattern), value: one.name, priority: i }));
        expect(new IndexReader(indexFile(written)).match(query)).toEqual(all);
      }),
      { numRuns: 1000 },
    );
  });

  it('means by a glob what the equivalent regular expression means', () => {
    const expression = (glob: string) =>
      new RegExp(`^${glob.replaceAll('*', '.*').replaceAll('?', '.').replaceAll('[!', '[^')}$`, 's');
    fc.assert(
      fc.property(pattern, text, (p, t) => globMatch(p, t) === expression(p).test(t)),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['[]a]', ']', true],
    ['[a', '[a', true],
    ['[!]', '[!]', true],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['[a-]', '-', true],
    ['[0-9A-F]', 'C', true],
    ['****', '', true],
  ])('%s and %s', (p, t, matches) => {
    expect(globMatch(p, t)).toBe(matches);
  });
});
