import { storageReport } from '../../contract/storage.ts';
import { problem, type Step } from '../boot.ts';
import { bringStorageUp } from '../storage/bring-up.ts';

/** Starts arrays and volumes, so that they can be looked at; not a byte is written to any disk. */
export const storage: Step = {
  name: 'storage',
  async run(boot) {
    const { modules, parameters } = boot;
    const { devices, silent } = await bringStorageUp({
      modules,
      excluded: parameters.excludeDevs,
      noLvm: parameters.noLvm,
      problem: (sentence) => problem(boot, sentence),
    });
    boot.storage = storageReport(devices, silent);
  },
};
