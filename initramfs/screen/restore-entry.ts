import { PATHS } from '../../contract/rescue-config.ts';
import { ownRestore } from '../other-tools/by-init.ts';
import type { Entry, Session } from './session.ts';

export const restoreEntry: Entry = {
  name: 'restore',
  key: 'r',
  text: 'Restore this machine',
  state: ({ boot }) => (boot.config.ownRestore ? `by ${boot.config.ownRestore.command[0]}` : 'not in this version yet'),
  run: restore,
};

async function restore({ boot, screen }: Session): Promise<void> {
  const restoring = ownRestore({ ...boot, person: screen }, false);
  if (!restoring)
    return screen.show([
      'This version does not restore yet: nothing is read and nothing is written.',
      'The restore source can be opened and a shell has the tools: partitions, file systems, archives.',
    ]);
  const failure = await restoring;
  if (failure) return screen.show([failure, "'mindi restore' in a shell does it again, where the program can ask."]);
  await screen.show([
    `It is done. The restored system stays mounted under ${PATHS.target} until the machine restarts.`,
    "'mindi-chroot' in a shell works in it.",
  ]);
}
