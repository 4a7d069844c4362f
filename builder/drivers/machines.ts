import { basename } from 'node:path';
import { MindiError } from '../../contract/error.ts';
import type { Profile } from '../profile/load.ts';
import { PROBE, probeMachine } from './probe.ts';
import type { Machine } from './scope.ts';

/** Characters of a machine's model that are shown. */
const LONGEST_NAME = 60;

/**
 * The machines a profile's scope names; undefined for the scope `all`.
 * @throws MindiError `scope.*`, `hardware.*`, all problems at once
 */
export async function machinesOf(
  { scope, hardware }: Pick<Profile['drivers'], 'scope' | 'hardware'>,
  where: Profile['where'],
): Promise<Machine[] | undefined> {
  if (scope !== 'hardware-files' && hardware.length > 0) throw surplus(scope, where(['drivers', 'hardware']));
  if (scope === 'all') return undefined;
  if (scope === 'this-machine') return [await thisMachine()];
  if (hardware.length === 0) throw noFiles(where(['drivers', 'scope']));
  const read = await Promise.allSettled(hardware.map((file) => readMachine(file)));
  const problems = read.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  const bug = problems.find((problem) => !(problem instanceof MindiError));
  if (bug) throw bug;
  if (problems.length > 0) throw MindiError.all(problems, 'drivers.hardware:', 'hardware.invalid');
  return read.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/** What scripts/probe finds here. */
export async function thisMachine(): Promise<Machine> {
  const { parseHardware } = await import('./hardware-file.ts');
  const { modaliases } = parseHardware(await probeMachine(), PROBE);
  return { name: 'this machine', modaliases };
}

/**
 * The machine of a hardware file, called by its model and the file's name: `PowerEdge R640 (web1.json)`.
 * @throws MindiError `hardware.*`
 */
export async function readMachine(file: string): Promise<Machine> {
  const { readHardware } = await import('./hardware-file.ts');
  const { machine, modaliases } = await readHardware(file);
  const product = printable(machine?.product ?? '');
  return { name: product ? `${product} (${basename(file)})` : basename(file), modaliases };
}

/** For reports and screens: no control characters, no longer than names are. */
const printable = (text: string) =>
  text
    .replaceAll(/[\x00-\x1f\x7f-\x9f]/g, '')
    .slice(0, LONGEST_NAME)
    .trim();

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
