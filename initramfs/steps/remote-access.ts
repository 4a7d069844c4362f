import { type Boot, problem, type Step, tell } from '../boot.ts';
import { wantsSsh } from '../remote/wanted.ts';

/** Lets people in who sit elsewhere. */
export const remoteAccess: Step = {
  name: 'remote-access',
  async run(boot) {
    if (wantsSsh(boot)) await ssh(boot);
  },
};

async function ssh(boot: Boot): Promise<void> {
  const { NoSsh, sshText, startSsh } = await import('../remote/ssh.ts');
  try {
    const state = await startSsh();
    tell(boot, `SSH: ${sshText(state)}`);
    if (state.keys === 0)
      problem(boot, "SSH lets nobody in: there are no authorized keys. 'mindi ssh FILE' in a shell adds some.");
  } catch (error) {
    if (!(error instanceof NoSsh)) throw error;
    problem(boot, error.message);
  }
}
