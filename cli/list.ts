import { Command } from 'commander';
import type { MemberRow } from '../archive/selection.ts';
import { type KeyOptions, keysOf, placeOptions, withKeys } from './keys.ts';
import { answer, answerJson, SET_ARGUMENT } from './output.ts';

interface Options extends KeyOptions {
  find?: string;
  troubles?: boolean;
  own?: boolean;
  deleted?: boolean;
  json?: boolean;
}

/** `mindi list SET`. */
export function listCommand(): Command {
  const command = new Command('list')
    .description('list the files of a set of `mindi archive`')
    .argument('<set>', SET_ARGUMENT)
    .option('--find <glob>', 'only these: with a / a glob of whole paths, else of names; * matches / too')
    .option('--own', 'of a differential set only what itself holds')
    .option('--deleted', 'what was in the set it started from and is gone')
    .option('--troubles', 'what was not archived as it should be, and why')
    .option('--json', 'print the answer as JSON, one file a line')
    .addHelpText(
      'after',
      `
What no terminal should get is shown as backslash codes.

Exit status: 0; 1 when --find finds nothing.

Examples:
  mindi list /bkp | less
  mindi list /bkp --find '*.conf'
  mindi list /bkp/srv-000003 --find '/srv/www/*' --json`,
    );
  return withKeys(command).action(list);
}

async function list(path: string, options: Options): Promise<void> {
  const { openSnapshot } = await import('../archive/engines/open.ts');
  const snapshot = await openSnapshot(path);
  if (snapshot) return (await import('./engine.ts')).listSnapshot(snapshot, options);
  const [{ openSet }, { deletedOf, matching, membersOf, shownPath, troublesOf }] = await Promise.all([
    import('../archive/set.ts'),
    import('../archive/selection.ts'),
  ]);
  await using set = await openSet(path, keysOf(options), { ...placeOptions(options), withBases: false });
  if (options.troubles) {
    const found = [...troublesOf(set.catalog)];
    const told = found.map(({ path: of, trouble, detail }) => ({ path: shownPath(of), trouble, detail }));
    if (options.json) return answerJson(told);
    for (const { path: of, trouble, detail } of told)
      answer(`${trouble}: ${of}${detail && ` (${shownPath(Buffer.from(detail))})`}`);
    return;
  }
  if (options.deleted) {
    const gone = [...deletedOf(set.catalog)].map((one) => shownPath(one.path));
    return options.json ? answerJson(gone) : gone.forEach(answer);
  }
  const { sql, values } = options.find === undefined ? { sql: 'TRUE', values: [] } : matching(options.find);
  let lines: string[] = [];
  let count = 0;
  for (const member of membersOf(
    set.catalog,
    `WHERE (${sql}) ${options.own ? 'AND base IS NULL' : ''} ORDER BY path`,
    ...values,
  )) {
    const shown = shownPath(member.path);
    lines.push(options.json ? JSON.stringify(facts(member, shown)) : line(member, shown, shownPath));
    count += 1;
    if (lines.length < AT_ONCE) continue;
    await print(lines);
    lines = [];
  }
  await print(lines);
  if (count === 0 && options.find !== undefined) process.exitCode = 1;
}

const AT_ONCE = 1000;

/** Waits for a slow reader: a million lines in memory are too many. */
async function print(lines: readonly string[]): Promise<void> {
  if (lines.length === 0 || process.stdout.write(`${lines.join('\n')}\n`)) return;
  await new Promise((resolve) => process.stdout.once('drain', resolve));
}

const LETTERS = { file: '-', link: 'h', symlink: 'l', char: 'c', block: 'b', directory: 'd', fifo: 'p' };

function line(member: MemberRow, path: string, shown: (path: Uint8Array) => string): string {
  const { type, mode, uid, gid, size, mtime, target, trouble } = member;
  const permissions = [6, 3, 0].map((shift) =>
    'rwx'.replaceAll(/./g, (letter, n) => ((mode >> (shift + 2 - n)) & 1 ? letter : '-')),
  );
  const arrow = target ? ` ${type === 'link' ? '=' : '->'} ${shown(target)}` : '';
  const owner = `${uid}/${gid}`.padEnd(11);
  const note = trouble ? ` (${trouble})` : '';
  return `${LETTERS[type]}${permissions.join('')} ${owner} ${String(size).padStart(12)} ${day(mtime)} ${path}${arrow}${note}`;
}

/** A file's time can be any: some are none that Date knows. */
function day(mtime: string): string {
  const date = new Date(Number(mtime) * 1000);
  return Number.isNaN(date.getTime()) ? mtime : date.toISOString().slice(0, 16).replace('T', ' ');
}

function facts(member: MemberRow, path: string) {
  const { type, mode, uid, gid, size, mtime, target, device, sha256, flags, trouble, archive, base } = member;
  const text = Buffer.from(member.path);
  return {
    path: text.toString(),
    // Where the path is no UTF-8, its bytes.
    ...(Buffer.from(text.toString()).equals(text) ? {} : { bytes: text.toString('hex'), shown: path }),
    ...{ type, mode: mode.toString(8), uid, gid, size, mtime: Number(mtime) },
    ...(target ? { target: Buffer.from(target).toString() } : {}),
    ...(device ? { device } : {}),
    ...(sha256 ? { sha256: Buffer.from(sha256).toString('hex') } : {}),
    ...(flags ? { flags } : {}),
    ...(trouble ? { trouble } : {}),
    archive,
    ...(base === null ? {} : { base }),
  };
}
