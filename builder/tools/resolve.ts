import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MindiError } from '../../contract/error.ts';
import { packageFor } from '../doctor/packages.ts';
import { madeFile, type Piece } from '../piece.ts';
import { Collector, type Taken } from './collector.ts';
import { FileHashes } from './hashes.ts';
import type { OwnFile } from './own-files.ts';
import { loadToolSet, type ToolSet } from './sets.ts';

/** mindi's own programs for the medium. */
const SCRIPTS = fileURLToPath(new URL('./scripts', import.meta.url));

export interface ToolsRequest {
  /** Names of tool sets, or paths of files of one's own. */
  sets: readonly string[];
  /** More programs by name; files, directories and globs by absolute path. */
  include: readonly string[];
  /** What the restore brings: own-files.ts. */
  own?: readonly OwnFile[];
  /** `file:line:column` of a value of the profile, for errors. */
  where?: (path: readonly (string | number)[]) => string;
  /** The machine whose tools are taken; `/` is this one. */
  root?: string;
  hashes?: FileHashes;
}

export interface Tools extends Piece {
  /** Optional programs this machine lacks, or that lack a library here, and the package that brings each. */
  optionalMissing: { tool: string; package: string }[];
}

/**
 * The programs of the tool sets with everything they need to run: libraries, interpreters, links, the files they read.
 * @throws MindiError with every required program that is missing and the package that brings it, all at once.
 */
export async function resolveTools(request: ToolsRequest): Promise<Tools> {
  const { sets, include, own = [], where, root = '/', hashes = new FileHashes() } = request;
  const problems: MindiError[] = [];
  const attempt = async <T>(work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof MindiError)) throw error;
      problems.push(...(error.problems.length > 0 ? error.problems : [error]));
      return undefined;
    }
  };
  const loaded = await Promise.all(
    sets.map((name, i) => attempt(() => loadToolSet(name, where?.(['tools', 'sets', i])))),
  );
  const selection = new Selection(new Collector(root, hashes), root);
  for (const [i, set] of loaded.entries()) {
    if (set) await attempt(() => selection.addSet(set, where?.(['tools', 'sets', i])));
  }
  for (const [i, item] of include.entries()) {
    await attempt(() => selection.include(item, where?.(['tools', 'include', i])));
  }
  for (const file of own) await attempt(() => selection.place(file, where?.(file.field)));
  problems.push(...selection.problems);
  if (problems.length > 0) throw MindiError.all(problems, 'Tools the medium needs are missing:', 'tools.missing');
  const { entries, contents } = await selection.collector.finish();
  for (const script of new Set(loaded.flatMap((set) => set?.scripts ?? []))) {
    const bytes = await readFile(`${SCRIPTS}/${basename(script)}`);
    madeFile({ entries, contents }, `/usr/sbin/${script}`, bytes, [{ rule: 'tools.sets', kind: 'named' }], 0o755);
  }
  await hashes.save();
  return { entries, contents, optionalMissing: selection.optionalMissing };
}

class Selection {
  readonly collector: Collector;
  readonly problems: MindiError[] = [];
  readonly optionalMissing: Tools['optionalMissing'] = [];
  readonly #root: string;

  constructor(collector: Collector, root: string) {
    this.collector = collector;
    this.#root = root;
  }

  addSet(set: ToolSet, where: string | undefined): void {
    const rule = `tools.sets: ${set.name}`;
    for (const group of set.tools) {
      const wanted = (name: string) => this.collector.find(name) ?? name;
      for (const name of group.required ?? []) {
        const taken = this.collector.take(wanted(name), { rule });
        const why = lack(name, taken);
        if (why) this.problems.push(missing(why, brings(name, group.package), where));
      }
      for (const name of group.optional ?? []) {
        if (lack(name, this.collector.take(wanted(name), { rule }))) {
          this.optionalMissing.push({ tool: name, package: brings(name, group.package) });
        }
      }
      for (const pattern of group.files ?? []) this.#files(pattern, rule);
    }
  }

  /** What a person asked for by name must be there. */
  include(item: string, where: string | undefined): void {
    const rule = `tools.include: ${item}`;
    if (item.includes('/')) {
      if (!this.#files(item, rule)) throw missing(`there is no ${item} on this machine`, packageFor(item), where);
      return;
    }
    const path = this.collector.find(item);
    const why = lack(item, path ? this.collector.take(path, { rule }) : { found: false, missing: [] });
    if (why) throw missing(why, packageFor(item), where);
  }

  /** What a person put somewhere else on the medium must be there. */
  place({ path, at, field, program }: OwnFile, where: string | undefined): void {
    const rule = `restore.${field[1]}: ${path}`;
    const taken = this.collector.take(path, { rule }, at);
    const why = taken.found ? lack(path, taken) : `there is no ${path} on this machine`;
    if (why) throw missing(why, undefined, where);
    if (program && !this.collector.isProgram(path)) {
      throw new MindiError(`${path} cannot be run: it is not executable`, {
        code: 'restore.not-executable',
        where,
        hint: `chmod +x ${path}`,
      });
    }
  }

  /** Whether the path or glob matched anything that could be taken whole. */
  #files(pattern: string, rule: string): boolean {
    const paths = /[*?[{]/.test(pattern)
      ? globSync(posix.relative('/', pattern), { cwd: this.#root }).map((match) => posix.join('/', match))
      : [pattern];
    return paths.sort().filter((path) => this.collector.take(path, { rule }).found).length > 0;
  }
}

/** Why a program cannot come along; undefined when it can. */
function lack(name: string, { found, missing }: Taken): string | undefined {
  if (!found) return `the program ${name} is not installed`;
  return missing.length > 0 ? `${name} needs ${missing.join(', ')}, which this machine does not have` : undefined;
}

/** A set names Debian packages; where the machine is none, its own name if mindi knows it. */
function brings(tool: string, debian: string): string {
  const here = packageFor(tool);
  return here && here !== packageFor(tool, 'debian') ? here : debian;
}

function missing(message: string, packageName: string | undefined, where: string | undefined): MindiError {
  return new MindiError(message, {
    code: 'tools.missing',
    where,
    hint: packageName ? `Install the package ${packageName}.` : 'Install it, or take it out of the profile.',
  });
}
