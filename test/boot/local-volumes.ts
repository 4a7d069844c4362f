import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build as bundle } from 'esbuild';
import { obdrTape } from '../../boot/obdr.ts';
import { type TapeObject, writeSimh } from '../../boot/simh.ts';
import { encodeLabel, TAPE, type TapeData, type TapeLabel } from '../../contract/tape.ts';
import { VOLUME_FILE, type Volume } from '../../contract/volume.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** Volumes of restore data on discs, disks and tapes, as local-sources.test.ts opens them. */
export const MIB = 1 << 20;
export const WEB01 = { format: 1, set: 'web01-a', of: 2, machine: 'web01', created: '2026-03-01T12:00:00Z' } as const;
const MAIL: Volume = { format: 1, set: 'mail-x', number: 1, of: 1, machine: 'mail', created: '2026-02-01T08:00:00Z' };

export const folder = temporaryFolder('volumes');

export const at = (...path: string[]) => join(folder, ...path);
export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
export const hashOf = (name: string) => readFile(at(name)).then(sha256);
const run = (program: string, ...args: string[]) => execFileSync(program, args, { stdio: 'pipe' });

/** A volume's directory: what marks it, and a payload. */
async function volumeFolder(name: string, volume: Volume, bytes = 300_000): Promise<string> {
  const folder = at(name);
  await mkdir(join(folder, 'mindi'), { recursive: true });
  await writeFile(join(folder, VOLUME_FILE), JSON.stringify(volume));
  await writeFile(join(folder, 'payload'), randomBytes(bytes));
  return folder;
}

export const payload = (name: string) => sha256(readFileSync(at(name, 'payload')));

async function makeDisc(name: string, volume: Volume): Promise<void> {
  const folder = await volumeFolder(name, volume);
  run('xorriso', '-as', 'mkisofs', '-quiet', '-J', '-R', '-V', name.toUpperCase(), '-o', at(`${name}.iso`), folder);
}

/** A disk whose third partition is an ext4 with the set's ISO files, as a machine that lost power left it. */
async function makeDisk(): Promise<void> {
  const folder = at('partition', 'backup', 'web01');
  await mkdir(folder, { recursive: true });
  for (const name of ['disc1', 'disc2', 'mail']) await copyFile(at(`${name}.iso`), join(folder, `${name}.iso`));
  await sparse('partition.img', 32 * MIB);
  run('mke2fs', '-q', '-t', 'ext4', '-L', 'store', '-d', at('partition'), at('partition.img'));
  run('debugfs', '-w', '-R', 'feature needs_recovery', at('partition.img'));
  await sparse('disk.img', 40 * MIB);
  const table = 'label: gpt\nsize=2048, start=2048\nsize=2048, start=4096\nsize=65536, start=8192\n';
  execFileSync('sfdisk', ['--quiet', at('disk.img')], { input: table, stdio: 'pipe' });
  run('dd', `if=${at('partition.img')}`, `of=${at('disk.img')}`, 'bs=1M', 'seek=4', 'conv=notrunc');
}

async function sparse(name: string, bytes: number): Promise<void> {
  await writeFile(at(name), '');
  await truncate(at(name), bytes);
}

async function makeFat(name: string, folder: string, bytes: number): Promise<void> {
  await sparse(name, bytes);
  run('mkfs.vfat', '-n', 'STICK', at(name));
  run('mcopy', '-s', '-i', at(name), join(folder, 'mindi'), join(folder, 'payload'), '::');
}

/** Of file systems with a journal of their own. */
async function makeOthers(): Promise<void> {
  const folder = await volumeFolder('btrfs', { ...WEB01, number: 1 });
  await sparse('btrfs.img', 120 * MIB);
  run('mkfs.btrfs', '-q', '-L', 'butter', '--rootdir', folder, at('btrfs.img'));
  await volumeFolder('xfs', { ...WEB01, number: 1 });
  await writeFile(at('xfs.proto'), xfsPrototype(at('xfs')));
  await sparse('xfs.img', 300 * MIB);
  run('mkfs.xfs', '-q', '-L', 'ex', '-p', at('xfs.proto'), at('xfs.img'));
  await volumeFolder('f2fs', { ...WEB01, number: 1 });
  await sparse('f2fs.img', 64 * MIB);
  run('mkfs.f2fs', '-q', '-l', 'flash', at('f2fs.img'));
  run('sload.f2fs', '-f', at('f2fs'), at('f2fs.img'));
  await sparse('ntfs.img', 8 * MIB);
  run('mkntfs', '-q', '-F', '-L', 'windows', at('ntfs.img'));
  run('ntfscp', at('ntfs.img'), join(folder, 'payload'), 'payload');
}

/** As mkfs.xfs -p reads it. */
const xfsPrototype = (folder: string) => `/stand
0 0
d--755 0 0
mindi d--755 0 0
volume.json ---644 0 0 ${folder}/${VOLUME_FILE}
$
payload ---644 0 0 ${folder}/payload
$
`;

/** Restore data of whole records: the emulated drive spoils a shorter one at the end. */
const RECORD = 32_768;
export const tapeData = { obdr: randomBytes(20 * RECORD), plain: randomBytes(7 * RECORD) };

function* records(bytes: Buffer): Generator<TapeObject> {
  for (let start = 0; start < bytes.length; start += RECORD) yield bytes.subarray(start, start + RECORD);
  yield null;
}

async function makeTapes(): Promise<void> {
  const data = (number: number): TapeData => ({ format: 'tar', record: RECORD, volume: { ...WEB01, number } });
  const label = (about: TapeLabel) => Buffer.from(encodeLabel(about, TAPE.label));
  const obdr: TapeObject[] = [...(await obdrTape(at('mail.iso')))];
  const index = obdr.indexOf(null) + 1;
  const image = { sha256: await hashOf('mail.iso'), size: 1, record: TAPE.image, start: TAPE.header.records };
  obdr[index] = label({ format: 1, name: 'MAIL', epoch: 1, image, data: data(1) });
  // Between the label and the data a driver may have written more filemarks than one.
  writeSimh(at('obdr.tap'), [...obdr, null, ...records(tapeData.obdr)]);
  const plain = label({ format: 1, name: 'WEB01', epoch: 1, image: null, data: data(2) });
  writeSimh(at('plain.tap'), [plain, null, ...records(tapeData.plain)]);
  writeSimh(at('bare.tap'), await obdrTape(at('disc1.iso')));
}

/** What writes them, for the runtime of the rescue system: the same code that writes tapes for `mindi write`. */
const WRITER = `
import { writeRecords } from './builder/write/records.ts';
import { readSimh } from './boot/simh.ts';
const [file, device] = process.argv.slice(2);
await writeRecords(device, readSimh(file), () => {}, async () => {});
`;

async function makeTapesDisc(): Promise<void> {
  await makeTapes();
  await bundle({
    stdin: { contents: WRITER, resolveDir: join(import.meta.dirname, '../..'), loader: 'ts' },
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'es2022', conditions: ['source'] },
    outfile: at('tapes', 'write.mjs'),
  });
  for (const name of ['obdr.tap', 'plain.tap', 'bare.tap']) await copyFile(at(name), at('tapes', name));
  run('xorriso', '-as', 'mkisofs', '-quiet', '-R', '-o', at('tapes.iso'), at('tapes'));
}

export const DISKS = ['xfs', 'btrfs', 'f2fs', 'ntfs'];

/** All of them, in `folder`. */
export async function makeVolumes(): Promise<void> {
  await makeDisc('disc1', { ...WEB01, number: 1 });
  await makeDisc('disc2', { ...WEB01, number: 2 });
  await makeDisc('mail', MAIL);
  await makeDisk();
  await makeOthers();
  await makeFat('stick.img', await volumeFolder('stick', { ...WEB01, number: 1 }), 40 * MIB);
  await makeFat('big.img', await volumeFolder('big', { ...WEB01, number: 1 }, 24 * MIB), 40 * MIB);
  await makeTapesDisc();
}
