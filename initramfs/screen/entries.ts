import { busybox } from '../process.ts';
import { bugMeEntry } from './bug-me-entry.ts';
import { checkEntry } from './check-entry.ts';
import { keymapEntry } from './keymap-entry.ts';
import { networkEntry } from './network-entry.ts';
import { restoreEntry } from './restore-entry.ts';
import type { Entry, Session } from './session.ts';
import { sourceEntry } from './source-entry.ts';
import { sshEntry } from './ssh-entry.ts';

const compare: Entry = {
  name: 'compare',
  key: 'c',
  text: 'Compare with the backup',
  state: () => 'not in this version yet',
  run: ({ screen }) => screen.show(['This version does not compare yet: nothing is read and nothing is written.']),
};

const logEntry: Entry = {
  name: 'log',
  key: 'l',
  text: 'Log',
  state: () => '/var/log/mindi.log; q leaves it',
  run: async ({ screen }, terminal) => screen.release(terminal, 'log'),
};

const shell: Entry = {
  name: 'shell',
  key: 's',
  text: 'Shell',
  state: () => "'exit' comes back here",
  run: async ({ screen }, terminal) => screen.release(terminal, 'shell'),
};

const reboot: Entry = {
  name: 'reboot',
  key: 'b',
  text: 'Restart the machine',
  run: (session) => sure(session, 'Restart the machine now?', 'reboot'),
};

const poweroff: Entry = {
  name: 'poweroff',
  key: 'p',
  text: 'Switch it off',
  run: (session) => sure(session, 'Switch the machine off now?', 'poweroff'),
};

/** In the order of the menu. */
export const ENTRIES: readonly Entry[] = [
  restoreEntry,
  compare,
  sourceEntry,
  networkEntry,
  sshEntry,
  keymapEntry,
  checkEntry,
  logEntry,
  shell,
  bugMeEntry,
  reboot,
  poweroff,
];

async function sure({ screen }: Session, question: string, applet: string): Promise<void> {
  const choices = [
    { value: 'no', key: 'n', text: 'No, back to the menu' },
    { value: 'yes', key: 'y', text: 'Yes' },
  ];
  const { value } = await screen.menu(question, choices, { preset: 'yes' });
  if (value === 'yes') await busybox([applet]);
}
