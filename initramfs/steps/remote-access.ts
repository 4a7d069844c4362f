import type { Step } from '../boot.ts';
import { sendWantedLog, startWantedPage, startWantedSsh } from '../remote/start.ts';

/** For those who sit elsewhere: SSH, a page that shows the screen, and the log. */
export const remoteAccess: Step = {
  name: 'remote-access',
  async run(boot) {
    await startWantedSsh(boot);
    await startWantedPage(boot);
    await sendWantedLog(boot);
  },
};
