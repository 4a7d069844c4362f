import { release } from 'node:os';
import type { MachineRecord } from '../../contract/machine-record.ts';
import { isBind, parseMountinfo } from '../../contract/mounts.ts';
import { type HostFacts, readHostFacts } from '../mountlist/facts.ts';
import { BOOT_MOUNTS, hashedFiles, hashedModules } from './files.ts';
import { layoutOf } from './layout.ts';

/** What this machine is at the moment. @param root the directory that is its / */
export async function recordMachine(facts?: HostFacts, root = '/', kernel = release()): Promise<MachineRecord> {
  const known = facts ?? (await readHostFacts());
  const targets = new Set(
    parseMountinfo(known.mountinfo ?? '')
      .filter((mount) => !isBind(mount))
      .map(({ target }) => target),
  );
  return {
    format: 1,
    layout: layoutOf(known),
    kernel: { release: kernel, modules: hashedModules(root, kernel) },
    files: hashedFiles(root),
    mounted: BOOT_MOUNTS.filter((path) => targets.has(path)),
  };
}
