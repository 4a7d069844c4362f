import { resolve } from 'node:path';
import { scratch } from '../builder/scratch.ts';
import { MindiError } from '../contract/error.ts';
import { findReady, type ReadyReport } from '../contract/report.ts';
import { attachments, discOf, takeKernel } from './bootable.ts';
import type { MachineType } from './controllers.ts';
import { type Attachment, type Firmware, type Machine, type MachineOptions, startMachine } from './qemu.ts';

/** A boot of an image in QEMU up to its ready line. */
export interface TrialOptions {
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
  as: Attachment;
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
  const image = await discOf(options.image, work.path);
  const as = attachment({ ...options, image });
  const machine = await startMachine(await machineOptions({ ...options, image }, as, work.path));
  return { as, ...(await watch(machine, options)) };
}

function attachment({ image, as }: TrialOptions): Attachment {
  const possible = attachments(image);
  const [natural = 'cdrom'] = possible;
  if (as === undefined || possible.includes(as)) return as ?? natural;
  throw new MindiError(`no machine starts from it as ${as}`, {
    code: 'image.unbootable',
    where: image,
    hint: `Leave out --as, or say --as ${natural}.`,
  });
}

async function machineOptions(options: TrialOptions, as: Attachment, folder: string): Promise<MachineOptions> {
  const { image, firmware, memory, append, drives, devices, cpu } = options;
  const { nics, machine } = options;
  const all: MachineOptions = {
    firmware,
    memory,
    medium: { path: resolve(image), as },
    drives,
    devices,
    more: cpu ? ['-cpu', cpu] : [],
    ...(nics ? { nics } : {}),
    ...(machine ? { machine } : {}),
  };
  if (append === undefined) return all;
  return { ...all, direct: { ...(await takeKernel(image, folder)), append: `${CONSOLES} ${append}`.trim() } };
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
