import { addressesOf } from '../hardware.ts';
import { NoSsh, sshState, startSsh } from '../remote/ssh.ts';
import type { Entry, Session } from './session.ts';

export const sshEntry: Entry = {
  name: 'ssh',
  key: 'h',
  text: 'Help from afar by SSH',
  state: () => {
    const state = sshState();
    return state ? `runs, ${keysText(state.keys)}` : 'does not run';
  },
  run: showSsh,
};

const NO_KEYS = [
  'It lets nobody in: there are no authorized keys, and passwords are never taken.',
  'Plug a USB stick in with public keys in its file mindi/authorized_keys, or put such keys into the profile: access.authorizedKeys.',
];

/** Starts it where it does not run, and tells how to log in. */
async function showSsh({ boot, screen }: Session): Promise<void> {
  try {
    const { hostKey, keys } = await startSsh();
    const addresses = boot.network ? addressesOf(boot.network.nic) : [];
    const logins = addresses.map((address) => `ssh root@${address.replace(/\/\d+$/, '')}`);
    await screen.show([
      ...(logins.length > 0 ? logins : ["This machine has no address yet: 'Network' in the menu gives it one."]),
      `Host key: ${hostKey}`,
      ...(keys > 0 ? [`Let in: ${keysText(keys)}.`] : NO_KEYS),
    ]);
  } catch (error) {
    if (!(error instanceof NoSsh)) throw error;
    const late = boot.config.stage2 !== null && boot.medium === null;
    await screen.show(late ? ['SSH is in the second stage, which was not found.'] : [error.message]);
  }
}

const keysText = (keys: number) => (keys === 1 ? 'one key' : `${keys || 'no'} keys`);
