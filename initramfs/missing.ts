import { needsNoDriver } from '../contract/needs-driver.ts';
import type { MissingDevice, MissingRequest } from '../contract/report.ts';
import { describe } from './device-names.ts';
import { type Device, driverOf } from './devices.ts';
import type { KernelModules } from './kernel-modules.ts';

type Modules = Pick<KernelModules, 'answers' | 'leftOut'>;

/** Devices no driver took and that no module on the media, nor a built-in driver, answers. */
export function missingDevices(
  devices: readonly Device[],
  modules: Modules,
  isBootScreen: (device: Device) => boolean,
): MissingDevice[] {
  return devices
    .filter((device) => !needsNoDriver(device.modalias, isBootScreen(device)))
    .filter((device) => driverOf(device.path) === '' && !modules.answers(device.modalias))
    .map(({ name, modalias }) => {
      return { device: name, modalias, name: describe(modalias), modules: modules.leftOut(modalias) };
    });
}

/**
 * What the kernel asked for in vain and a module that was left out would have been. It asks for much that no kernel has
 * (`crypto-sha256-all`), and for what came later with the second stage.
 */
export function missingRequests(requests: readonly string[], modules: Modules): MissingRequest[] {
  return requests
    .filter((name) => !modules.answers(name))
    .map((name) => ({ name, modules: modules.leftOut(name) }))
    .filter((request) => request.modules.length > 0);
}
