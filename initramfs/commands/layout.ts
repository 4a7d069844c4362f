import type { Command } from './index.ts';

/** The disks of this machine as data. */
export const layout: Command = {
  name: 'layout',
  about: 'write down what is on the disks, as data: JSON, which reads as YAML',
  run: async (words) => (await import('../layout/index.ts')).runLayout(words),
};
