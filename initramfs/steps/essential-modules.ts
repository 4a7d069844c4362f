import { problem, type Step } from '../boot.ts';

/** Loads what reaches the medium before any device was looked at: buses, disks, filesystems, keyboards. */
export const essentialModules: Step = {
  name: 'essential modules',
  async run(boot) {
    const { config, modules, parameters } = boot;
    const answered = await Promise.all(
      [...parameters.force, ...config.essential].map(async (name) => [name, await modules.load(name)] as const),
    );
    const unknown = answered.filter(([, found]) => !found).map(([name]) => name);
    if (unknown.length > 0)
      problem(boot, `These kernel modules were asked for but are not on the medium: ${unknown.join(', ')}.`);
  },
};
