import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { compressionOf, MAX_MODULE_BYTES, readDecompressed } from './decompress.ts';
import { type Bytes, bufferBytes, ElfObject, withFile } from './elf.ts';
import { KmodError } from './error.ts';

/** A module's .modinfo: `key=value` pairs in the file's order; keys such as `alias` and `firmware` come many times. */
export interface Modinfo {
  fields: readonly (readonly [key: string, value: string])[];
}

export interface ReadOptions {
  /** Bytes a module may have when decompressed; 256 MiB unless told. */
  maxBytes?: number;
}

/** Every value of a field, in order. */
export function modinfoValues(modinfo: Modinfo, key: string): string[] {
  return modinfo.fields.flatMap(([name, value]) => (name === key ? [value] : []));
}

/**
 * .modinfo of a .ko, .ko.gz, .ko.xz or .ko.zst, read in this process; of an uncompressed file only the headers and that
 * section. Compression that we cannot read is left to the `modinfo` program.
 * @throws KmodError module.unreadable, module.not-elf, module.compression, module.too-big
 */
export async function readModinfo(path: string, options: ReadOptions = {}): Promise<Modinfo> {
  try {
    return await withModule(path, options, modinfoOf);
  } catch (error) {
    if (!(error instanceof KmodError) || error.code !== 'module.compression') throw error;
    return await modinfoProgram(path, error);
  }
}

/** Symbols the module imports, from the kernel image or from other modules. @throws as readModinfo */
export async function readImports(path: string, options: ReadOptions = {}): Promise<string[]> {
  return await withModule(path, options, (elf) => elf.undefinedSymbols());
}

/** What one reading of a module tells. */
export interface ModuleSummary {
  modinfo: Modinfo;
  /** Symbols it imports. */
  imports: string[];
  /** Bytes, decompressed. */
  size: number;
}

/** `readModinfo`, `readImports` and the size at once: a compressed module is decompressed only once. @throws as readImports */
export async function readSummary(path: string, options: ReadOptions = {}): Promise<ModuleSummary> {
  return await withModule(path, options, (elf) => ({
    modinfo: modinfoOf(elf),
    imports: elf.undefinedSymbols(),
    size: elf.size,
  }));
}

/** The module's bytes, decompressed. @throws KmodError module.unreadable, module.not-elf, module.compression, module.too-big */
export async function readModule(path: string, options: ReadOptions = {}): Promise<Buffer> {
  const bytes = await readDecompressed(path, options.maxBytes);
  return guarded(bufferBytes(bytes), path, () => bytes);
}

async function withModule<T>(path: string, options: ReadOptions, use: (elf: ElfObject) => T): Promise<T> {
  const plain = withFile(path, (bytes) =>
    compressionOf(bytes.read(0, Math.min(8, bytes.size))) === null ? { value: guarded(bytes, path, use) } : null,
  );
  if (plain) return plain.value;
  const decompressed = await readDecompressed(path, options.maxBytes ?? MAX_MODULE_BYTES);
  return guarded(bufferBytes(decompressed), path, use);
}

/** Offsets in a damaged file can point anywhere: whatever that leads to is one error. */
function guarded<T>(bytes: Bytes, path: string, use: (elf: ElfObject) => T): T {
  try {
    return use(new ElfObject(bytes, path));
  } catch (error) {
    if (error instanceof KmodError) throw error;
    throw new KmodError('module.not-elf', `${path} is not a kernel module: its headers are damaged`, {
      hint: 'Install the kernel package again.',
      where: path,
      cause: error,
    });
  }
}

function modinfoOf(elf: ElfObject): Modinfo {
  const records = (elf.section('.modinfo') ?? Buffer.alloc(0)).toString('utf8').split('\0');
  return { fields: records.flatMap(pair) };
}

function pair(record: string): [string, string][] {
  const equals = record.indexOf('=');
  return equals > 0 ? [[record.slice(0, equals), record.slice(equals + 1)]] : [];
}

/** `modinfo -0` prints `key:   value` with a NUL after each. */
async function modinfoProgram(path: string, original: KmodError): Promise<Modinfo> {
  try {
    const { stdout } = await promisify(execFile)('modinfo', ['-0', path], { maxBuffer: 16 * 1024 * 1024 });
    const fields = stdout.split('\0').flatMap((record): [string, string][] => {
      const found = /^([^:]+): *(.*)$/s.exec(record);
      return found?.[1] && found[1] !== 'filename' ? [[found[1], found[2] ?? '']] : [];
    });
    if (fields.length > 0) return { fields };
  } catch (error) {
    original.cause ??= error;
  }
  throw original;
}
