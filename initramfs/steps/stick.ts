import { type Step, tell } from '../boot.ts';
import { findStickFolders } from '../stick/folder.ts';
import { takeFolder } from '../stick/take.ts';

/** Takes what people put into the folder mindi/ of the medium or of USB sticks. Boot parameters win over it. */
export const stick: Step = {
  name: 'stick',
  async run(boot) {
    if (!boot.config.stick) return;
    for (const folder of await findStickFolders(boot)) await takeFolder(boot, folder);
    const mode = boot.parameters.mode ?? boot.config.restore.mode;
    if (mode !== boot.mode) tell(boot, `${mode} mode, as the stick says`);
    boot.mode = mode;
  },
};
