import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type ModuleTree, openTree, trimMetadata } from 'node-kmod-deps';
import { indexFile } from '../packages/node-kmod-deps/src/index-file.ts';

/**
 * Metadata of real Debian kernels, made with depmod, without the modules themselves:
 * bookworm 6.1 (.ko), bookworm's cloud flavour (few modules, others built in), trixie 6.12 (.ko.xz).
 */
export const KERNELS = {
  'bookworm-amd64': '6.1.0-50-amd64',
  'bookworm-cloud-amd64': '6.1.0-50-cloud-amd64',
  'trixie-amd64': '6.12.107+deb13-amd64',
} as const;
export type KernelName = keyof typeof KERNELS;

type Modules = 'none' | 'empty' | 'stand-ins';

export interface KernelFixture {
  release: string;
  /** Root of the tree, for `modprobe -d ROOT -S RELEASE`. */
  root: string;
  /** `ROOT/lib/modules/RELEASE`. */
  directory: string;
}

/**
 * Unpacks a kernel's metadata, the .bin files for modprobe too, to a temporary place that all test files share. Its
 * modules on request: `empty` files (modprobe only looks whether they are there) or `stand-ins`, small ELF objects with
 * the real ones' names, compression, aliases, firmware and soft dependencies. Read only: a test that changes something
 * copies first.
 */
export async function kernelFixture(name: KernelName, options: { modules?: Modules } = {}): Promise<KernelFixture> {
  const archive = join(import.meta.dirname, 'fixtures/kernels', `${name}.tar.xz`);
  const key = createHash('sha256')
    .update(readFileSync(archive))
    .update(readFileSync(import.meta.filename))
    .digest('hex');
  const modules = options.modules ?? 'none';
  const root = join(tmpdir(), 'mindi-test-kernels', `${name}-${modules}-${key.slice(0, 16)}`);
  const fixture = { release: KERNELS[name], root, directory: join(root, 'lib/modules', KERNELS[name]) };
  if (!existsSync(root)) await place(root, (temporary) => fill(temporary, archive, modules));
  return fixture;
}

/** The metadata as an opened tree, without files. */
export async function kernelTree(name: KernelName): Promise<ModuleTree> {
  return await openTree((await kernelFixture(name)).directory);
}

/** Test files run at the same time: the first that is done gives the directory its name. */
async function place(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = mkdtempSync(`${path}.`);
  await make(temporary);
  try {
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { recursive: true });
    if (!existsSync(path)) throw error;
  }
}

async function fill(root: string, archive: string, modules: Modules): Promise<void> {
  const parent = join(root, 'lib/modules');
  mkdirSync(parent, { recursive: true });
  execFileSync('tar', ['-xJf', archive, '-C', parent]);
  const [release = ''] = execFileSync('ls', [parent], { encoding: 'utf8' }).split('\n');
  const tree = await openTree(join(parent, release));
  for (const [file, content] of trimMetadata(tree, tree.names)) {
    if (file.endsWith('.bin')) writeFileSync(join(parent, release, file), content);
  }
  writeFileSync(join(parent, release, 'modules.dep.bin'), dependencyIndex(tree));
  if (modules === 'empty') for (const name of tree.names) write(tree.file(name) ?? '', '');
  if (modules === 'stand-ins') writeStandIns(tree, join(parent, release));
}

function write(file: string, content: string | Buffer): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

/** Names the files as they are here: compressed. */
function dependencyIndex(tree: ModuleTree): Buffer {
  const lines = (tree.text('modules.dep') ?? '').split('\n');
  return indexFile(tree.names.map((key, priority) => ({ key, value: lines[priority] ?? '', priority })));
}

/** modinfo.tsv: path, name, bytes, bytes decompressed, depends, softdep, weakdep, firmware, number of aliases. */
function writeStandIns(tree: ModuleTree, directory: string): void {
  const aliases = Map.groupBy(tree.aliases, (alias) => alias.name);
  const compress: string[] = [];
  for (const row of readFileSync(join(directory, 'modinfo.tsv'), 'utf8').trimEnd().split('\n').slice(1)) {
    const [path = '', name = '', , , depends = '', softdep = '', weakdep = '', firmware = ''] = row.split('\t');
    const fields = [
      ['name', name],
      ['depends', depends],
      ...(softdep ? [['softdep', softdep]] : []),
      ...(weakdep ? [['weakdep', weakdep]] : []),
      ...firmware
        .split('|')
        .filter(Boolean)
        .map((file) => ['firmware', file]),
      ...(aliases.get(name) ?? []).map((alias) => ['alias', alias.pattern]),
    ];
    const file = join(directory, path.replace(/\.xz$/, ''));
    write(file, elfObject({ '.modinfo': fields.map((pair) => `${pair.join('=')}\0`).join('') }));
    if (path.endsWith('.xz')) compress.push(file);
  }
  if (compress.length > 0) {
    execFileSync('xz', ['-0', '--check=crc32', '--files'], { input: compress.map((file) => `${file}\n`).join('') });
  }
}

/**
 * A little-endian 64-bit ELF object with these sections, and optionally a symbol table whose symbols are all imports.
 * Enough of one for modinfo, depmod and us.
 */
export function elfObject(sections: Record<string, string>, imports: readonly string[] = []): Buffer {
  const strings = ['', ...imports].map((name) => `${name}\0`).join('');
  const all: { name: string; type: number; data: Buffer; link?: number; entrySize?: number }[] = [
    { name: '', type: 0, data: Buffer.alloc(0) },
    ...Object.entries(sections).map(([name, text]) => ({ name, type: 1, data: Buffer.from(text, 'latin1') })),
  ];
  if (imports.length > 0) {
    all.push({ name: '.symtab', type: 2, data: symbolTable(imports), link: all.length + 1, entrySize: 24 });
    all.push({ name: '.strtab', type: 3, data: Buffer.from(strings) });
  }
  const names = [...all.map((section) => section.name), '.shstrtab'].map((name) => `${name}\0`).join('');
  all.push({ name: '.shstrtab', type: 3, data: Buffer.from(names) });

  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(1, 16);
  header.writeUInt16LE(62, 18);
  header.writeUInt32LE(1, 20);
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(all.length, 60);
  header.writeUInt16LE(all.length - 1, 62);
  const bodies: Buffer[] = [header];
  const table = Buffer.alloc(64 * all.length);
  let offset = header.length;
  let nameAt = 0;
  for (const [i, { name, type, data, link = 0, entrySize = 0 }] of all.entries()) {
    const padded = Buffer.concat([data, Buffer.alloc((8 - (data.length % 8)) % 8)]);
    table.writeUInt32LE(nameAt, 64 * i);
    table.writeUInt32LE(type, 64 * i + 4);
    table.writeBigUInt64LE(BigInt(offset), 64 * i + 24);
    table.writeBigUInt64LE(BigInt(data.length), 64 * i + 32);
    table.writeUInt32LE(link, 64 * i + 40);
    table.writeBigUInt64LE(8n, 64 * i + 48);
    table.writeBigUInt64LE(BigInt(entrySize), 64 * i + 56);
    bodies.push(padded);
    offset += padded.length;
    nameAt += name.length + 1;
  }
  header.writeBigUInt64LE(BigInt(offset), 40);
  return Buffer.concat([...bodies, table]);
}

function symbolTable(imports: readonly string[]): Buffer {
  const table = Buffer.alloc(24 * (imports.length + 1));
  let nameAt = 1;
  for (const [i, name] of imports.entries()) {
    table.writeUInt32LE(nameAt, 24 * (i + 1));
    table[24 * (i + 1) + 4] = 0x10;
    nameAt += name.length + 1;
  }
  return table;
}
