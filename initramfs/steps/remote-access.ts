import { withoutPassword } from '../../contract/command-line.ts';
import { type Boot, problem, type Step, tell } from '../boot.ts';
import { nics } from '../hardware.ts';
import { wantsSsh, wantsStatusPage } from '../remote/wanted.ts';

/** For those who sit elsewhere: SSH, a page that shows the screen, and the log. */
export const remoteAccess: Step = {
  name: 'remote-access',
  async run(boot) {
    if (wantsSsh(boot)) await ssh(boot);
    if (wantsStatusPage(boot)) await statusPage(boot);
    if (boot.parameters.log) await sendLog(boot, boot.parameters.log);
  },
};

async function ssh(boot: Boot): Promise<void> {
  const { NoSsh, sshText, startSsh } = await import('../remote/ssh.ts');
  try {
    const state = await startSsh();
    const address = nics()
      .flatMap(({ addresses }) => addresses)[0]
      ?.replace(/\/\d+$/, '');
    tell(boot, `SSH: ${sshText(state, address)}`);
    if (state.keys === 0)
      problem(boot, "SSH lets nobody in: there are no authorized keys. 'mindi ssh FILE' in a shell adds some.");
  } catch (error) {
    if (!(error instanceof NoSsh)) throw error;
    problem(boot, error.message);
  }
}

async function statusPage(boot: Boot): Promise<void> {
  const { serveStatus } = await import('../remote/status-server.ts');
  const wrong = await serveStatus(boot);
  if (wrong) problem(boot, `The status page is not served: ${wrong}.`);
  else tell(boot, 'the status page is served over HTTP, to everybody on the network');
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
      `The log is not sent: mindi.log=${withoutPassword(address)} is no address as http://SERVER/PATH or syslog://SERVER.`,
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
