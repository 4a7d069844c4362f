import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { scratch } from '../builder/scratch.ts';
import { MindiError } from '../contract/error.ts';
import { findReady, type ReadyReport } from '../contract/report.ts';
import { attachments, discOf, takeKernel } from './bootable.ts';
import { type MachineType, type NetworkCard, nicDevice } from './controllers.ts';
import { FIRST_FILES } from './netboot.ts';
import { type Attachment, type Firmware, type Machine, type MachineOptions, startMachine } from './qemu.ts';
import { checkFolder } from './serve/folder.ts';

/** A boot of an image in QEMU up to its ready line. */
export interface TrialOptions {
  /** Or a netboot folder. */
  image: string;
  firmware: Firmware;
  /** How the image is attached; what it is made for when not given. */
  as?: Attachment;
  /** MiB. */
  memory: number;
  /** Kernel parameters: kernel and initrd are then started without the image's boot loader. */
  append?: string;
  /** As MachineOptions has them. */
  drives: readonly string[];
  /** Network cards by their names in NICS; one of virtio when not given. */
  nics?: readonly string[];
  machine?: MachineType;
  devices: readonly string[];
  /** QEMU's name of the processor, `max` for all it can emulate; its plain one, x86-64-v1, when not given. */
  cpu?: string;
  /** Seconds until the ready line must be there. */
  timeout: number;
}

export interface TrialResult {
  as: Attachment | 'network';
  /** From QEMU's start to the ready line. */
  seconds: number;
  report: ReadyReport;
}

/** What shows that a boot menu waits, on the serial console: isolinux's, GRUB's. */
const MENU = /explain every entry|boot the selected OS/;
/** A menu that is not on the serial console is hurried by the keyboard, while the console stays silent: milliseconds. */
const SILENCE = 5000;

/**
 * Starts the image and waits for the ready line. A boot menu on the way is left at once, with its default entry.
 * @throws MindiError with exit code 1 when the line never comes: the console's last lines, and where its log is
 */
export async function tryBoot(options: TrialOptions): Promise<TrialResult> {
  await using work = await scratch('trial');
  if (statSync(options.image, { throwIfNoEntry: false })?.isDirectory()) return tryNetboot(options);
  const image = await discOf(options.image, work.path);
  const as = attachment({ ...options, image });
  const machine = await startMachine(await machineOptions({ ...options, image }, as, work.path));
  return { as, ...(await watch(machine, options)) };
}

/** QEMU is DHCP and TFTP server of a network with only this machine in it. */
async function tryNetboot(options: TrialOptions): Promise<TrialResult> {
  const folder = resolve(options.image);
  await checkFolder(folder);
  if (options.as) throw notAs(folder, options.as, 'Leave out --as.');
  const [model = 'virtio', ...others] = options.nics ?? [];
  if (others.length > 0) {
    throw new MindiError('a machine that starts from the network is tried with one network card', {
      code: 'nic.model',
      hint: 'Name one with --nic.',
    });
  }
  const bootFile = options.firmware === 'bios' ? FIRST_FILES.bios : FIRST_FILES.uefi;
  const card: NetworkCard = { model: nicDevice(model), folder, bootFile };
  const direct = options.append !== undefined && {
    direct: {
      kernel: join(folder, 'vmlinuz'),
      initrd: join(folder, 'initrd.img'),
      append: `${CONSOLES} mindi.server=${QEMU_HOST} ${options.append}`.trim(),
    },
  };
  const machine = await startMachine({ ...common(options), card, ...direct });
  return { as: 'network', ...(await watch(machine, options)) };
}

/** This machine, as its guests see it. */
const QEMU_HOST = '10.0.2.2';

function attachment({ image, as }: TrialOptions): Attachment {
  const possible = attachments(image);
  const [natural = 'cdrom'] = possible;
  if (as === undefined || possible.includes(as)) return as ?? natural;
  throw notAs(image, as, `Leave out --as, or say --as ${natural}.`);
}

function notAs(where: string, as: Attachment, hint: string): MindiError {
  return new MindiError(`no machine starts from it as ${as}`, { code: 'image.unbootable', where, hint });
}

async function machineOptions(options: TrialOptions, as: Attachment, folder: string): Promise<MachineOptions> {
  const { image, append, nics } = options;
  const all = { ...common(options), medium: { path: resolve(image), as }, ...(nics ? { nics } : {}) };
  if (append === undefined) return all;
  return { ...all, direct: { ...(await takeKernel(image, folder)), append: `${CONSOLES} ${append}`.trim() } };
}

/** The machine without what it starts from. */
function common({ firmware, memory, drives, devices, cpu, machine }: TrialOptions): MachineOptions {
  const more = cpu ? ['-cpu', cpu] : [];
  return { firmware, memory, drives, devices, more, ...(machine ? { machine } : {}) };
}

const CONSOLES = 'console=tty0 console=ttyS0,115200';

async function watch(machine: Machine, { timeout, append }: TrialOptions) {
  const done = new AbortController();
  try {
    if (append === undefined) void hurry(machine, timeout, done.signal);
    const report = await machine.waitFor('the ready line', findReady, timeout);
    const seconds = Math.round(performance.now() - machine.started) / 1000;
    await machine.stop();
    return { seconds, report };
  } catch (error) {
    await machine.stop({ keepLog: true });
    if (!(error instanceof MindiError)) throw error;
    const { message, code, exitCode } = error;
    throw new MindiError(message, {
      code,
      exitCode,
      hint: `The whole console is in ${machine.logFile}.`,
      cause: error,
    });
  } finally {
    done.abort();
  }
}

/** Presses Enter in the boot menu, so that its wait is not waited for. */
async function hurry(machine: Machine, timeout: number, stop: AbortSignal): Promise<void> {
  const timer = setInterval(() => {
    if (machine.console === '') void machine.key('ret').catch(() => {});
  }, SILENCE);
  stop.addEventListener('abort', () => clearInterval(timer));
  try {
    await machine.waitFor('a boot menu', (text) => MENU.test(text) || undefined, timeout);
    machine.type('\r');
  } catch {
    // A medium without a menu, or a machine that stopped: `watch` says so.
  }
}
