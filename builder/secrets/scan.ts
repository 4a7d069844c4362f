import { posix } from 'node:path';
import fs from 'fs-extra';
import pLimit from 'p-limit';
import { MindiError } from '../../contract/error.ts';
import type { Content, Contents, Entry, FileEntry } from '../../contract/manifest.ts';
import { SECRET_KINDS } from '../../contract/secret-kinds.ts';
import { cacheDirectory, hashOf, writeBeside } from '../cache.ts';
import type { Piece } from '../piece.ts';
import type { Profile } from '../profile/load.ts';

/** Raise it when a kind is added or another pattern would match. */
const FORMAT = 1;
/** Files beyond this are data, not configuration. */
const BIGGEST = 4 << 20;
/** A zero byte within so many: not text. */
const LOOKED_AT = 8192;

export interface Finding {
  /** A path on the medium, or the profile's field. */
  path: string;
  /** As SecretKind.name. */
  kind: string;
  /** From 1. */
  line: number;
  /** What of the profile brought the file: `tools.include: /root/x`. */
  rule: string;
}

/** Whether the medium will hold secrets which the profile allows, and those it does not. */
export interface Secrets {
  allowed: Finding[];
  forbidden: Finding[];
}

export interface Scanned extends Secrets {
  /** The tools, files with allowed secrets readable by their owner only. */
  tools: Piece;
}

/** Text of the profile that lands on the medium, under the name of its field. */
const fields = ({ boot, restore }: Profile): [field: string, text: string][] => [
  ['boot.append', boot.append.join('\n')],
  ['restore.source', restore.source ?? ''],
  ['restore.command', restore.command?.join('\n') ?? ''],
  ['restore.environment', lines(restore.environment)],
];

const lines = (variables: Record<string, string>) =>
  Object.entries(variables)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n');

/**
 * Looks for secrets in what a person could have put on the medium: files of this machine, the mountlist, texts of the
 * profile. Programs, modules and firmware are not looked into. What was clean before is not read again.
 */
export async function scanForSecrets(
  profile: Profile,
  tools: Piece,
  more: Record<string, string>,
  known: readonly Finding[] = [],
): Promise<Scanned> {
  const files = tools.entries.filter((entry): entry is FileEntry => entry.type === 'file' && entry.size <= BIGGEST);
  const read = [
    ...known,
    ...[...fields(profile), ...Object.entries(more)].flatMap(([field, text]) => findingsIn(text, field, field)),
    ...(await scanFiles(files, tools.contents)),
  ];
  const found = [...read, ...tools.entries.filter((entry) => isPrivate(entry, read)).map(privateFinding)];
  const allowed = found.filter(({ path }) => isAllowed(path, profile.access.secrets));
  const forbidden = found.filter((finding) => !allowed.includes(finding));
  const secret = new Set(allowed.map(({ path }) => path));
  const entries = tools.entries.map((entry): Entry => {
    return secret.has(entry.path) ? { ...entry, mode: entry.mode & 0o700 } : entry;
  });
  return { allowed, forbidden, tools: { ...tools, entries } };
}

/**
 * A bare password looks like any other word; but whoever made the file for its owner's eyes meant it. Only of files that
 * were brought on their own account: systems protect many that hold nothing secret.
 */
const isPrivate = ({ type, path, mode, why }: Entry, read: readonly Finding[]) =>
  type === 'file' &&
  (mode & 0o077) === 0 &&
  why.some(({ rule }) => rule.startsWith('restore.files: ')) &&
  !read.some((finding) => finding.path === path);

const privateFinding = ({ path, why }: Entry): Finding => ({
  path,
  kind: 'what only its owner may read here',
  line: 1,
  rule: why.at(-1)?.rule ?? '',
});

/** Whether `access.secrets` names a path of the medium. */
export const isAllowed = (path: string, patterns: readonly string[]) =>
  patterns.some((pattern) => pattern === path || posix.matchesGlob(path, pattern));

/** Nothing is remembered but that a set of files was clean: the next build with the same files reads none of them. */
async function scanFiles(files: readonly FileEntry[], contents: Contents): Promise<Finding[]> {
  const patterns = SECRET_KINDS.map(({ pattern }) => pattern.source);
  const clean = cacheDirectory('clean', hashOf([FORMAT, patterns, files.map(({ path, sha256 }) => [path, sha256])]));
  if (await fs.pathExists(clean)) return [];
  const limit = pLimit(16);
  const each = files.map((file) => limit(() => scanFile(file, contents.get(file.sha256))));
  const findings = (await Promise.all(each)).flat();
  if (findings.length === 0) await writeBeside(clean, (path) => fs.writeFile(path, ''));
  return findings;
}

async function scanFile({ path, why }: FileEntry, content: Content | undefined): Promise<Finding[]> {
  if (content?.from !== 'file') return [];
  const rule = why.at(-1)?.rule ?? '';
  const bytes = await fs.readFile(content.path);
  // UTF-16 has zero bytes in it and is text all the same; nothing here is written so.
  const binary = bytes.subarray(0, LOOKED_AT).includes(0);
  return findingsIn(binary ? '' : bytes.toString('latin1'), path, rule);
}

/** Each kind once, with the line it starts in; of several in one line the first kind of the table. */
export function findingsIn(text: string, path: string, rule: string): Finding[] {
  const byLine = new Map<number, Finding>();
  for (const { name, pattern, path: only, notIn } of SECRET_KINDS) {
    const match = (only && !only.test(path)) || notIn?.test(path) ? null : pattern.exec(text);
    if (!match) continue;
    // The match may begin with the line breaks before it.
    const start = match.index + match[0].search(/\S|$/);
    const line = text.slice(0, start).split('\n').length;
    if (!byLine.has(line)) byLine.set(line, { path, kind: name, line, rule });
  }
  return [...byLine.values()];
}

/** @throws MindiError `secrets.found`, a problem for each; never with the secret itself. */
export function refuseSecrets({ forbidden }: Secrets, profile: Profile): void {
  const problems = forbidden.map(({ path, kind, line, rule }) => {
    const field = /^\/|^mountlist$/.test(path) ? undefined : path;
    return new MindiError(
      field ? `${field} holds ${kind}` : `${path} would be on the medium and holds ${kind} (line ${line})`,
      {
        code: 'secrets.found',
        where: placeOf(field ?? rule, profile),
        hint: `Leave it out, or name ${path} under access.secrets: the images are then readable by you alone.`,
      },
    );
  });
  if (problems.length > 0) throw MindiError.all(problems, 'Secrets would land on the medium:', 'secrets.found');
}

/** Where the profile says what brought a file: `tools.include: /root/x` is an item of that list, or a value of that map. */
function placeOf(rule: string, profile: Profile): string {
  const [path = '', item] = rule.split(': ');
  const steps = path.split('.');
  const list = steps.reduce<unknown>((value, step) => (value as Record<string, unknown> | undefined)?.[step], profile);
  const items = typeof list === 'object' ? Object.entries(list ?? {}) : [];
  const key = items.find(([, one]) => one === item || posix.basename(String(one), '.yaml') === item)?.[0];
  if (key === undefined) return profile.where(steps);
  return profile.where([...steps, Array.isArray(list) ? Number(key) : key]);
}
