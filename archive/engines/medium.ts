import { statSync } from 'node:fs';
import type { Profile } from '../../builder/profile/load.ts';
import { isAllowed } from '../../builder/secrets/scan.ts';
import { SNAPSHOT_FILE, type SnapshotRecord } from '../../contract/snapshot.ts';
import type { Store } from './engine.ts';
import { ENGINES } from './index.ts';
import { mediumSource } from './mounted.ts';

/** Where an engine's files are on the medium: `password`, and those its variables name, by the variables' names. */
const FOLDER = '/etc/mindi/engine';

/**
 * The profile of a medium that restores by the profile's engine. One that says itself how it restores stays as it is.
 * Passwords and private files are on the medium only where access.secrets names them.
 * @param id the snapshot; null: the newest there is when it is restored
 * @param note hears what is not on the medium
 */
export function withEngine(profile: Profile, store: Store, id: string | null, note: (text: string) => void): Profile {
  if (profile.restore.command !== null) return profile;
  const files: Record<string, string> = {};
  /** Where a file of this machine is on the medium; undefined: nowhere. */
  const brought = (name: string, path: string, secret: boolean): string | undefined => {
    const at = `${FOLDER}/${name}`;
    if (secret && !isAllowed(at, profile.access.secrets)) {
      note(`${path} is not on the medium, the restore will ask for what it tells: access.secrets does not name ${at}`);
      return undefined;
    }
    files[at] = path;
    return at;
  };
  const passwordFile = store.passwordFile === null ? null : (brought('password', store.passwordFile, true) ?? null);
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(store.environment)) {
    const mode = modeOfFile(value);
    const at = mode === undefined ? value : brought(name, value, (mode & 0o077) === 0);
    if (at !== undefined) environment[name] = at;
  }
  const near = store.repository.startsWith('/') ? mediumSource(store.repository) : null;
  const repository = near?.folder ?? store.repository;
  const rest = ENGINES[store.engine].onMedium({ ...store, repository, passwordFile, environment }, id);
  const { restore, tools, network } = profile;
  const source = restore.source ?? near?.source ?? null;
  if (near && source === null)
    note(`the rescue system cannot find ${store.repository} by itself: say restore.source in the profile`);
  const remote = /^[^/]/.test(store.repository) || /^(nfs|smb)/.test(source ?? '');
  return {
    ...profile,
    tools: { ...tools, sets: [...new Set([...tools.sets, ...rest.sets])] },
    network: remote && network.ip === 'none' ? { ...network, ip: 'dhcp' } : network,
    restore: {
      ...restore,
      source,
      command: rest.command,
      environment: { ...rest.environment, ...restore.environment },
      warningCodes: [...new Set([...rest.warningCodes, ...restore.warningCodes])],
      files: { ...files, ...restore.files },
    },
  };
}

/** What such a medium tells of it, by path. */
export function snapshotFiles(store: Store, id: string | null): Record<string, Uint8Array> {
  const { engine, repository, name, machine } = store;
  const record: SnapshotRecord = { format: 1, engine, repository, name, machine, snapshot: id };
  return { [SNAPSHOT_FILE]: Buffer.from(`${JSON.stringify(record, null, 2)}\n`) };
}

/** Undefined when the text is no path of a file. */
function modeOfFile(text: string): number | undefined {
  if (!text.startsWith('/')) return undefined;
  const facts = statSync(text, { throwIfNoEntry: false });
  return facts?.isFile() ? facts.mode : undefined;
}
