import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { MindiError, messageOf } from '../../contract/error.ts';
import type { Profile } from '../profile/load.ts';
import type { Machine } from './scope.ts';

/** A hardware file has some hundred short lines; a bigger one is something else. */
const LARGEST_FILE = 8 << 20;

/**
 * The machines a profile's scope names; undefined for the scope `all`.
 * @throws MindiError `scope.*`, all problems at once
 */
export async function machinesOf(
  { scope, hardware }: Pick<Profile['drivers'], 'scope' | 'hardware'>,
  where: Profile['where'],
): Promise<Machine[] | undefined> {
  if (scope !== 'hardware-files' && hardware.length > 0) throw surplus(scope, where(['drivers', 'hardware']));
  if (scope === 'all') return undefined;
  if (scope === 'this-machine') return [thisMachine()];
  if (hardware.length === 0) throw noFiles(where(['drivers', 'scope']));
  const read = await Promise.allSettled(hardware.map((file) => readMachine(file)));
  const problems = read.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  const bug = problems.find((problem) => !(problem instanceof MindiError));
  if (bug) throw bug;
  if (problems.length > 0) throw MindiError.all(problems, 'drivers.hardware:', 'scope.hardware-file');
  return read.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/** The modaliases sysfs shows, sorted, each once. */
export function thisMachine(sysfs = '/sys'): Machine {
  const modaliases = new Set<string>();
  const visit = (directory: string): void => {
    for (const entry of entries(directory)) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (entry.name === 'modalias') for (const line of lines(path)) modaliases.add(line);
    }
  };
  visit(join(sysfs, 'devices'));
  return { name: 'this machine', modaliases: [...modaliases].sort() };
}

/** Devices come and go while sysfs is read. */
function entries(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}

/**
 * A machine's hardware file: JSON with the list `modaliases`.
 * @throws MindiError `scope.hardware-file`
 */
export async function readMachine(file: string): Promise<Machine> {
  const bad = (message: string, cause?: unknown) =>
    new MindiError(message, {
      code: 'scope.hardware-file',
      where: file,
      hint: 'A hardware file is JSON with a list `modaliases`, as sysfs shows them.',
      cause,
    });
  let value: unknown;
  try {
    const bytes = await readFile(file);
    if (bytes.length > LARGEST_FILE) throw bad(`${bytes.length} bytes are no hardware file`);
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw error instanceof MindiError ? error : bad(`cannot read this hardware file: ${messageOf(error)}`, error);
  }
  const { modaliases } = (value ?? {}) as { modaliases?: unknown };
  if (!Array.isArray(modaliases) || !modaliases.every((each) => typeof each === 'string')) {
    throw bad('this is no hardware file: it has no list `modaliases`');
  }
  return { name: basename(file), modaliases };
}

function surplus(scope: string, where: string): MindiError {
  return new MindiError(`drivers.hardware names files, but drivers.scope is ${scope}`, {
    code: 'scope.conflict',
    where,
    hint: 'Write `scope: hardware-files`, or leave out `hardware`.',
  });
}

function noFiles(where: string): MindiError {
  return new MindiError('drivers.scope is hardware-files, but drivers.hardware names none', {
    code: 'scope.conflict',
    where,
    hint: 'Name them: `hardware: [web1.json, web2.json]`.',
  });
}
