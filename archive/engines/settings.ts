import { accessSync, constants } from 'node:fs';
import type { Profile } from '../../builder/profile/load.ts';
import { MindiError, messageOf } from '../../contract/error.ts';
import type { Mount } from '../../contract/mounts.ts';
import type { EngineName } from '../../contract/snapshot.ts';
import type { Engine, Store } from './engine.ts';
import { ENGINES } from './index.ts';
import { type Source, sourceOf } from './source.ts';

/** What a profile says of archiving by another engine. */
export interface EngineSettings {
  engine: Engine;
  store: Store;
  source: Source;
  /** The snapshot is checked when it is written. */
  verify: boolean;
}

/** Whether a profile archives by another program than mindi. */
export const hasEngine = ({ archive }: Profile): boolean => archive.engine !== 'mindi';

/**
 * @param mounts of this machine
 * @throws MindiError `archive.unsaid`, `engine.unable`, with all that is wrong
 */
export function engineSettings(profile: Profile, mounts: readonly Mount[], machine: string): EngineSettings {
  const { archive, where, file } = profile;
  const store = storeOf(profile, machine);
  const engine = ENGINES[store.engine];
  const source = sourceOf(profile, mounts, store.repository.startsWith('/') ? [store.repository] : []);
  const problems = engine.unable(source).map(
    (message) =>
      new MindiError(message, {
        code: 'engine.unable',
        where: where(['archive', 'engine']),
        hint: 'Leave it out, or take another engine.',
      }),
  );
  if (archive.include.length === 0)
    problems.push(
      new MindiError('the profile does not say what to archive', {
        code: 'archive.unsaid',
        where: where(['archive', 'include']),
        hint: 'archive: { include: [/srv] }',
      }),
    );
  for (const [key, wrong] of [
    ['consistency', archive.consistency === 'snapshot'],
    ['differential', archive.differential !== null],
    ['volume', archive.volume !== null],
    ['encryption', archive.encryption !== null],
    ['parity', archive.parity !== null],
  ] as const)
    if (wrong)
      problems.push(
        new MindiError(`archive.${key} is for mindi's own sets, and ${store.engine} archives`, {
          code: 'engine.unable',
          where: where(['archive', key]),
          hint: 'Leave it out, or take `engine: mindi`.',
        }),
      );
  if (problems.length > 0) throw MindiError.all(problems, file, 'engine.unable');
  return { engine, store, source, verify: archive.verify };
}

/**
 * Where a profile's engine keeps its snapshots.
 * @throws MindiError `archive.unsaid`, `engine.password`
 */
export function storeOf({ name, archive, where }: Profile, machine: string): Store {
  const { to, engine } = archive;
  if (to === null || !('repository' in to))
    throw new MindiError(`the profile does not say where ${engine} keeps its snapshots`, {
      code: 'archive.unsaid',
      where: where(['archive', 'to']),
      hint: 'archive: { to: { repository: … } }, as docs/engines.md shows.',
    });
  const passwordFile = to.passwordFile ?? null;
  if (passwordFile !== null) checkReadable(passwordFile, where(['archive', 'to', 'passwordFile']));
  return {
    engine: engine as EngineName,
    repository: to.repository as string,
    passwordFile,
    environment: (to.environment ?? {}) as Record<string, string>,
    name,
    machine,
  };
}

function checkReadable(file: string, where: string): void {
  try {
    accessSync(file, constants.R_OK);
  } catch (error) {
    throw new MindiError(`the file with the password cannot be read: ${messageOf(error)}`, {
      code: 'engine.password',
      where,
      hint: 'Its first line is the password.',
    });
  }
}
