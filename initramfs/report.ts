import { release } from 'node:os';
import type { ReadyReport } from '../contract/report.ts';
import type { Boot } from './boot.ts';
import { attribute, type Device } from './devices.ts';
import { disks, loadedModules, memory, nics, tapes } from './hardware.ts';
import { uptime } from './log.ts';
import { missingDevices } from './missing.ts';

/** What the ready line says of this machine and this boot. */
export function readyReport(boot: Boot): ReadyReport {
  return {
    seconds: uptime(),
    mode: boot.mode,
    name: boot.config.name,
    kernel: release(),
    runtime: runtime(),
    modules: loadedModules(),
    missing: missingDevices(boot.devices, (modalias) => boot.modules.answers(modalias), isBootScreen),
    disks: disks(),
    nics: nics(),
    tapes: tapes(),
    memory: memory(),
    medium: boot.medium,
    problems: [...boot.problems, ...boot.modules.problems],
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
