import { unmount } from '../mount.ts';

/** Where the open source's data are. */
export const SOURCE = '/run/mindi/source';
/** The file system of which the data are a directory or an ISO file. */
export const CARRIER = '/run/mindi/source-carrier';
/** For a short look at what something holds. */
export const LOOK = '/run/mindi/source-look';

/** Lets go of the source that is open, also when another process opened it or its device has gone. */
export async function leaveSource(): Promise<void> {
  await unmount(LOOK, SOURCE, CARRIER);
}
