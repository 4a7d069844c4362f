import { withoutPassword } from '../../contract/command-line.ts';
import { type Boot, problem, type Step, tell } from '../boot.ts';
import { wantsSsh } from '../remote/wanted.ts';

/** For those who sit elsewhere: SSH, and the log. */
export const remoteAccess: Step = {
  name: 'remote-access',
  async run(boot) {
    if (wantsSsh(boot)) await ssh(boot);
    if (boot.parameters.log) await sendLog(boot, boot.parameters.log);
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

/** Goes on beside the boot, which waits for none of it. */
async function sendLog(boot: Boot, address: string): Promise<void> {
  const [{ followLog }, { logReceiver }] = await Promise.all([
    import('../remote/follow-log.ts'),
    import('../remote/log-receiver.ts'),
  ]);
  const receiver = logReceiver(address, boot.config.name);
  if (!receiver) {
    problem(
      boot,
      `The log is not sent: mindi.log=${withoutPassword(address)} is no address as http://… or syslog://….`,
    );
    return;
  }
  const outcome = {
    failed: (why: string) =>
      problem(boot, `The log cannot be sent to ${receiver.name}: ${why}. It is tried again and again.`),
    works: () => tell(boot, `the log is sent to ${receiver.name}`),
  };
  void followLog(receiver, outcome);
}
