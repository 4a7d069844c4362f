import { release } from 'node:os';
import type { ReadyReport } from '../contract/report.ts';
import type { Boot } from './boot.ts';
import { attribute, type Device } from './devices.ts';
import { disks, loadedModules, memory, nics, secureBoot, tapes } from './hardware.ts';
import { uptime } from './log.ts';
import { missingDevices, missingRequests } from './missing.ts';
import { sshState } from './remote/ssh.ts';
import { requestsInVain } from './requests.ts';

/** What the ready line says of this machine and this boot. */
export function readyReport(boot: Boot): ReadyReport {
  return {
    seconds: uptime(),
    mode: boot.mode,
    name: boot.config.name,
    kernel: release(),
    secureBoot: secureBoot(),
    runtime: runtime(),
    modules: loadedModules(),
    ...whatIsMissing(boot),
    disks: disks(),
    storage: boot.storage,
    nics: nics(),
    tapes: tapes(),
    memory: memory(),
    medium: boot.medium,
    trusted: boot.trusted,
    check: boot.check,
    source: boot.source,
    ssh: sshState(),
    statusPage: boot.statusPage,
    sticks: boot.sticks,
    problems: [...boot.problems, ...boot.modules.problems],
  };
}

/** Devices without a driver, and what the kernel asked for in vain, as of now. */
export function whatIsMissing({ devices, modules }: Boot): Pick<ReadyReport, 'missing' | 'requested'> {
  return {
    missing: missingDevices(devices, modules, isBootScreen),
    requested: missingRequests(requestsInVain(), modules),
  };
}

/** `node 24.21.0` */
function runtime(): string {
  const name = 'bun' in process.versions ? 'bun' : 'node';
  return `${name} ${process.versions[name]}`;
}

function isBootScreen(device: Device): boolean {
  return attribute(device.path, 'boot_vga') === '1';
}
