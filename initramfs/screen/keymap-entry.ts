import { existsSync } from 'node:fs';
import { keymapNames, loadKeymap } from '../keymaps.ts';
import type { Entry } from './session.ts';

export const keymapEntry: Entry = {
  name: 'keymap',
  key: 'k',
  text: 'Keyboard layout',
  state: ({ boot }) => (existsSync('/dev/tty0') ? (boot.keymap ?? 'us') : 'this machine has no screen'),
  run: async ({ boot, screen }) => {
    const names = keymapNames();
    const choices = names.map((name) => ({ value: name, text: name }));
    if (choices.length === 0)
      return screen.show([
        'There is no keyboard layout on the medium.',
        'access.keymaps of the profile puts them there.',
      ]);
    const name = await screen.choose('Which keyboard layout?', choices, boot.keymap ?? 'us');
    const wrong = await loadKeymap(name);
    if (!wrong) boot.keymap = name;
    else
      await screen.show([
        `The keyboard layout ${name} is not used: ${wrong}.`,
        'Choose another one; the old one still holds.',
      ]);
  },
};
