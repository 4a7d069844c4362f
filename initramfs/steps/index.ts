import type { Step } from '../boot.ts';
import { check } from './check.ts';
import { clock } from './clock.ts';
import { allDevices, firstDevices } from './coldplug.ts';
import { essentialModules } from './essential-modules.ts';
import { keymap } from './keymap.ts';
import { medium } from './medium.ts';
import { mounts } from './mounts.ts';
import { netboot } from './netboot.ts';
import { network } from './network.ts';
import { ready } from './ready.ts';
import { remoteAccess } from './remote-access.ts';
import { restore } from './restore.ts';
import { source } from './source.ts';
import { stick } from './stick.ts';
import { storage } from './storage.ts';

/** The boot, in order. Each step's failure is a problem that ready tells; the next step runs all the same. */
export const STEPS: readonly Step[] = [
  mounts,
  essentialModules,
  firstDevices,
  netboot,
  medium,
  allDevices,
  stick,
  storage,
  keymap,
  clock,
  network,
  remoteAccess,
  source,
  check,
  ready,
  restore,
];
