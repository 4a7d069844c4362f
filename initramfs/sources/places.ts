import { existsSync, readFileSync, rmSync } from 'node:fs';
import { unmount } from '../mount.ts';
import { findProgram, run } from '../process.ts';

/** Where the open source's data are. */
export const SOURCE = '/run/mindi/source';
/** The file system of which the data are a directory or an ISO file. */
export const CARRIER = '/run/mindi/source-carrier';
/** For a short look at what something holds. */
export const LOOK = '/run/mindi/source-look';
/** The iSCSI target that is logged in to for it: its name. */
export const LOGGED_IN = '/run/mindi/source-iscsi';

/** Lets go of the source that is open, also when another process opened it or its device has gone. */
export async function leaveSource(): Promise<void> {
  await unmount(LOOK, SOURCE, CARRIER);
  const iscsiadm = findProgram('iscsiadm');
  if (!iscsiadm || !existsSync(LOGGED_IN)) return;
  const target = readFileSync(LOGGED_IN, 'utf8');
  // All of LVM comes with it.
  const { stopVolumes } = await import('./iscsi-disks.ts');
  await stopVolumes(target);
  await run(iscsiadm, ['-m', 'node', '-T', target, '--logout']);
  rmSync(LOGGED_IN);
}
