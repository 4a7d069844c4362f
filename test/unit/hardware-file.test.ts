import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseHardware, readHardware } from '../../builder/drivers/hardware-file.ts';
import { openKernelTree } from '../../builder/drivers/tree.ts';
import { MindiError } from '../../contract/error.ts';
import { kernelFixture } from '../kernel-fixture.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const FIXTURES = resolve(import.meta.dirname, '../fixtures/hardware');
const files = readdirSync(FIXTURES).filter((name) => name.endsWith('.json'));
const server = JSON.parse(readFileSync(join(FIXTURES, 'server-dell-r740.json'), 'utf8'));
const folder = temporaryFolder('hardware');

function failure(text: string): MindiError {
  try {
    parseHardware(text, 'web1.json');
  } catch (error) {
    if (error instanceof MindiError) return error;
    throw error;
  }
  throw new Error('nothing was wrong');
}

const changed = (change: object) => JSON.stringify({ ...server, ...change });

describe('a hardware file', () => {
  it.each(files)('%s is whole, sorted and without an address', async (name) => {
    const { modaliases, devices = [], nics = [] } = await readHardware(join(FIXTURES, name));
    expect(modaliases).toEqual([...new Set(modaliases)].sort());
    expect(devices.length).toBeGreaterThan(10);
    for (const { modalias } of [...devices, ...nics]) expect(modaliases).toContain(modalias);
    expect(readFileSync(join(FIXTURES, name), 'utf8')).not.toMatch(/(?:[0-9a-f]{2}:){5}[0-9a-f]{2}/);
  });

  it('names devices as a kernel knows them', async () => {
    const tree = await openKernelTree((await kernelFixture('bookworm-amd64')).directory);
    const { modaliases } = await readHardware(join(FIXTURES, 'server-dell-r740.json'));
    const drivers = modaliases.flatMap((modalias) => tree.lookup(modalias).map(({ name }) => name));
    expect(drivers).toEqual(expect.arrayContaining(['megaraid_sas', 'mpt3sas', 'tg3', 'ixgbe', 'nvme', 'ahci', 'st']));
  });

  it('may be a bare list of modaliases, have a byte order mark, and keys this mindi does not know', () => {
    expect(parseHardware('{"modaliases": ["a"], "more": 1}', 'x')).toMatchObject({ modaliases: ['a'] });
    expect(parseHardware(`\uFEFF${changed({ more: [[[[[[[1]]]]]]] })}`, 'x')).toMatchObject({ format: 1 });
  });

  it.each([
    ['of a newer mindi', changed({ format: 2 }), 'format', 'written by a newer mindi: format 2, and this one reads'],
    ['of no format', changed({ format: 'one' }), 'format', 'there is no format "one"'],
    ['of another kind', changed({ kind: 'lshw' }), 'kind', 'its kind is "lshw"'],
    ['empty', '', 'syntax', 'no JSON: it ends too early'],
    ['no JSON', 'pci:v00008086', 'syntax', 'this is no JSON'],
    ['a list', '[]', 'kind', 'this is no hardware file, but []'],
    ['null', 'null', 'kind', 'but null'],
    ['without modaliases', '{}', 'missing-key', 'modaliases is missing'],
    ['of numbers', '{"modaliases": ["a", 5]}', 'wrong-type', 'modaliases[1] must be text, not 5'],
    [
      'with a wrong driver',
      changed({ devices: [{ ...server.devices[0], driver: [] }] }),
      ...wrong('devices[0].driver'),
    ],
    ['with a wrong size', changed({ disks: [{ ...server.disks[0], bytes: 'big' }] }), ...wrong('disks[0].bytes')],
    [
      'with a negative size',
      changed({ disks: [{ ...server.disks[0], bytes: -1 }] }),
      'bad-value',
      'disks[0].bytes: -1',
    ],
    ['with a wrong machine', changed({ machine: 'PC' }), ...wrong('machine')],
    ['with half a device', changed({ devices: [{ path: 'x' }] }), 'invalid', 'web1.json: 5 problems'],
    ['deep', `{"modaliases": ${'['.repeat(100)}${']'.repeat(100)}}`, ...wrong('modaliases[0]')],
  ])('%s is refused', (_, text, code, says) => {
    const error = failure(text);
    expect(error).toMatchObject({ code: `hardware.${code}`, exitCode: 2, message: expect.stringContaining(says) });
    expect(error.format()).toContain('web1.json');
  });

  it('cut short is refused with the place, and nothing of it on the screen', () => {
    const text = readFileSync(join(FIXTURES, 'server-dell-r740.json'), 'utf8');
    expect(failure(text.slice(0, 900)).format()).toMatch(/^web1\.json(:\d+:\d+)?: this is no JSON/);
    expect(failure('{"a": \x1b[31m}').format()).not.toContain('\x1b');
  });

  it('that is no file, or too big, is refused unread', async () => {
    const big = join(folder, 'big.json');
    writeFileSync(big, '');
    truncateSync(big, (8 << 20) + 1);
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    const code = (name: string) => readHardware(join(folder, name)).catch((error) => error.code);
    expect(await code('big.json')).toBe('hardware.too-big');
    for (const name of ['pipe', '.', 'nothing.json']) expect(await code(name)).toBe('hardware.unreadable');
  });

  it('of any other JSON is read or refused, never more', () => {
    const keys = fc.constantFrom('format', 'kind', 'modaliases', 'devices', 'disks', 'nics', 'machine', '__proto__');
    const values = fc.oneof(fc.jsonValue(), fc.constant(1), fc.constant('mindi hardware'), fc.constant([]));
    const property = fc.property(fc.dictionary(keys, values), (value) => {
      try {
        parseHardware(JSON.stringify({ ...server, ...value }), 'x');
      } catch (error) {
        expect(error).toBeInstanceOf(MindiError);
      }
    });
    fc.assert(property);
  });
});

function wrong(path: string): [code: string, says: string] {
  return ['wrong-type', `${path} must be`];
}
