import { withoutPassword } from '../../contract/command-line.ts';
import { type Boot, problem, tell } from '../boot.ts';
import { nics } from '../hardware.ts';
import type { Outcome } from './follow-log.ts';
import { wantsSsh, wantsStatusPage } from './wanted.ts';

/** SSH, where it is wanted. It is on the second stage, which may come late. */
export async function startWantedSsh(boot: Boot): Promise<void> {
  if (!wantsSsh(boot)) return;
  if (boot.config.stage2 && boot.medium === null) {
    problem(boot, 'SSH is not started: it is in the second stage, which was not found. It starts when that comes.');
    return;
  }
  const { NoSsh, sshText, startSsh } = await import('./ssh.ts');
  try {
    const state = await startSsh();
    const address = nics().flatMap(({ addresses }) => addresses)[0];
    tell(boot, `SSH: ${sshText(state, address?.replace(/\/\d+$/, ''))}`);
    if (state.keys === 0)
      problem(boot, "SSH lets nobody in: there are no authorized keys. 'mindi ssh FILE' in a shell adds some.");
  } catch (error) {
    if (!(error instanceof NoSsh)) throw error;
    problem(boot, error.message);
  }
}

/** The page over HTTP, where it is wanted. */
export async function startWantedPage(boot: Boot): Promise<void> {
  if (!wantsStatusPage(boot)) return;
  const { serveStatus } = await import('./status-server.ts');
  const wrong = await serveStatus(boot);
  if (wrong) problem(boot, `The status page is not served: ${wrong}.`);
  else tell(boot, 'the status page is served over HTTP, to everybody on the network');
}

/** The log goes to where mindi.log says, beside the boot, which waits for none of it. */
export async function sendWantedLog(boot: Boot): Promise<void> {
  const addresses = boot.parameters.log;
  if (addresses.length === 0) return;
  const [{ followLog }, { logReceiver }] = await Promise.all([import('./follow-log.ts'), import('./log-receiver.ts')]);
  for (const address of addresses) {
    const receiver = logReceiver(address, boot.config.name);
    if (receiver) void followLog(receiver, outcome(boot, receiver.name));
    else {
      const said = `mindi.log=${withoutPassword(address)}`;
      problem(boot, `The log is not sent: ${said} is no address as http://SERVER/PATH or syslog://SERVER.`);
    }
  }
}

const outcome = (boot: Boot, name: string): Outcome => ({
  failed: (why) => problem(boot, `The log cannot be sent to ${name}: ${why}. It is tried again and again.`),
  works: () => tell(boot, `the log is sent to ${name}`),
});
