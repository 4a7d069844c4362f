import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { KmodError } from './error.ts';
import { isModuleFile } from './names.ts';
import { METADATA_FILES, type MetadataFile, ModuleTree, type TreeOptions } from './tree.ts';

export interface OpenOptions extends Omit<TreeOptions, 'directory'> {
  /** Where modules.* are, when they are not beside the modules (`writeMetadata` made them there). */
  metadata?: string;
}

/**
 * Opens a modules directory (`/usr/lib/modules/VERSION`). Files but modules.dep are read when first asked for. A
 * directory of modules without modules.dep or modules.alias is run through depmod in a temporary place; the directory
 * itself is never written to.
 * @throws KmodError tree.missing, tree.empty, tree.truncated, tree.malformed, tree.cyclic, tree.encoding, tool.failed
 */
export async function openTree(moduleDirectory: string, options: OpenOptions = {}): Promise<ModuleTree> {
  const directory = resolve(moduleDirectory);
  const state = await examine(directory);
  const metadata = options.metadata ?? directory;
  if (options.metadata === undefined && state === 'no metadata') return await openWithDepmod(directory, options);
  return located(metadata, () => new ModuleTree((file) => readText(metadata, file), { ...options, directory }));
}

/** A fault in a file is reported with the file's full path. */
function located<T>(directory: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof KmodError) || !error.where?.startsWith('modules.')) throw error;
    throw new KmodError(error.code, error.message, {
      hint: error.hint,
      where: join(directory, error.where),
      cause: error,
    });
  }
}

/** Whether the directory holds depmod's files, or only modules. */
async function examine(directory: string): Promise<'metadata' | 'no metadata'> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    throw new KmodError('tree.missing', `there is no modules directory ${directory}`, {
      hint: 'A modules directory is /lib/modules/VERSION, or the same inside an unpacked kernel package.',
      where: directory,
      cause: error,
    });
  });
  if (names.includes('modules.dep') && names.includes('modules.alias')) return 'metadata';
  if (await holdsModules(directory)) return 'no metadata';
  if (names.includes('modules.dep')) return 'metadata';
  throw new KmodError('tree.empty', `${directory} holds neither modules.dep nor any module`, {
    hint: 'Install the kernel package that belongs to it.',
    where: directory,
  });
}

async function holdsModules(directory: string): Promise<boolean> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isFile() && isModuleFile(entry.name)) return true;
    if (entry.isDirectory() && (await holdsModules(join(directory, entry.name)))) return true;
  }
  return false;
}

async function openWithDepmod(directory: string, options: OpenOptions): Promise<ModuleTree> {
  const temporary = await mkdtemp(join(tmpdir(), 'kmod-deps-'));
  try {
    await writeMetadata(directory, temporary);
    const texts = new Map(METADATA_FILES.map((file) => [file, readText(temporary, file)]));
    return new ModuleTree((file) => texts.get(file), { ...options, directory });
  } finally {
    await rm(temporary, { recursive: true });
  }
}

/**
 * Runs depmod over a modules directory and puts all modules.* files, the kernel build's own included, into `target`.
 * The modules are seen through symbolic links; nothing is written beside them.
 * @throws KmodError tool.failed
 */
export async function writeMetadata(moduleDirectory: string, target: string): Promise<void> {
  const directory = resolve(moduleDirectory);
  const base = await mkdtemp(join(tmpdir(), 'kmod-depmod-'));
  /** depmod accepts only what looks like a version; the name is not in its output. */
  const version = '0.0.0';
  const tree = join(base, 'lib/modules', version);
  try {
    await mkdir(tree, { recursive: true });
    for (const name of await readdir(directory)) {
      if (!isGenerated(name)) await symlink(join(directory, name), join(tree, name));
    }
    await depmod(base, version);
    await mkdir(target, { recursive: true });
    for (const name of await readdir(tree)) {
      if (name.startsWith('modules.')) await cp(join(tree, name), join(target, name), { dereference: true });
    }
  } finally {
    await rm(base, { recursive: true });
  }
}

/** Files depmod writes; `build` and `source` lead out of the tree. */
function isGenerated(name: string): boolean {
  if (name === 'build' || name === 'source') return true;
  return (
    name.startsWith('modules.') &&
    !['modules.order', 'modules.builtin', 'modules.builtin.modinfo', 'modules.builtin.ranges'].includes(name)
  );
}

async function depmod(base: string, version: string): Promise<void> {
  try {
    await promisify(execFile)('depmod', ['-b', base, version], { maxBuffer: 16 * 1024 * 1024 });
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    const missing = code === 'ENOENT';
    throw new KmodError(
      'tool.failed',
      missing ? 'the program depmod is not installed' : `depmod failed: ${stderr?.trim()}`,
      {
        hint: missing
          ? 'Install the package kmod.'
          : 'The modules of this kernel are damaged; install its package again.',
        cause: error,
      },
    );
  }
}

/** Text of a metadata file; undefined when there is none. modules.builtin.modinfo may hold names in any encoding. */
function readText(directory: string, file: MetadataFile): string | undefined {
  const path = join(directory, file);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new KmodError('tree.missing', `cannot read ${path}: ${(error as Error).message}`, {
      where: path,
      cause: error,
    });
  }
  return file === 'modules.builtin.modinfo' ? bytes.toString('utf8') : decode(bytes, path);
}

function decode(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    const shown = bytes.toString('utf8');
    const line = shown.slice(0, shown.indexOf('\ufffd')).split('\n').length;
    throw new KmodError('tree.encoding', `${path} line ${line} is not UTF-8 text`, {
      hint: 'Run depmod for this kernel again.',
      where: `${path}:${line}`,
      cause: error,
    });
  }
}
