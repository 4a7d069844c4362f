import { mkdirSync, writeFileSync } from 'node:fs';
import { problem, type Step } from '../boot.ts';

/** Loads what reaches the medium before any device was looked at: buses, disks, filesystems, keyboards. */
export const essentialModules: Step = {
  name: 'essential modules',
  async run(boot) {
    const { config, modules, parameters } = boot;
    denyToOthers(parameters.deny);
    const names = [...parameters.force, ...config.essential];
    await modules.loadAll(names);
    const unknown = names.filter((name) => !modules.answers(name));
    if (unknown.length > 0)
      problem(boot, `These kernel modules were asked for but are not on the medium: ${unknown.join(', ')}.`);
  },
};

/** What the kernel asks for is loaded by modprobe, which must know it, too. */
function denyToOthers(names: readonly string[]): void {
  if (names.length === 0) return;
  mkdirSync('/etc/modprobe.d', { recursive: true });
  writeFileSync('/etc/modprobe.d/denied.conf', names.map((name) => `blacklist ${name}\n`).join(''));
}
