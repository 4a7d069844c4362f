import { tell } from '../boot.ts';
import { findAndCheck } from '../check-medium.ts';
import { showFiles } from '../progress.ts';
import { distrust } from '../trust.ts';
import type { Entry } from './session.ts';

export const checkEntry: Entry = {
  name: 'check',
  key: 'm',
  text: 'Check the medium',
  state: ({ boot }) => (boot.check ? (boot.check.whole ? 'it is whole' : 'IT IS DAMAGED') : 'reads all of it'),
  run: async ({ boot, screen }) => {
    tell(boot, 'reading the whole medium');
    boot.check = await findAndCheck(boot.config, boot.modules, showFiles(boot.consoles));
    if (!boot.check.whole) for (const sentence of boot.check.sentences) distrust(boot, sentence);
    const advice = boot.check.whole ? [] : ['Write the medium again, or try another drive.'];
    await screen.show([...boot.check.sentences, ...advice]);
  },
};
