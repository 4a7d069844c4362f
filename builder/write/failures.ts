import { messageOf } from '../../contract/error.ts';

/** What a failed system call on a device means: the error's code, what happened, what to do about it. */
type Failure = readonly [code: string, message: string, hint: string];
type Device = 'disk' | 'tape';

const DENIED: Record<Device, Failure> = {
  disk: ['write.denied', 'no permission to write to it', 'Write as root.'],
  tape: ['tape.denied', 'no permission to use the drive', 'Write as root, or as a member of the group tape.'],
};
const GONE: Record<Device, Failure> = {
  disk: ['write.gone', 'it was pulled out, or has failed', 'Plug it in and write it again.'],
  tape: ['tape.gone', 'the drive is gone', 'Look at its cable and power, and into the kernel log.'],
};

/** By errno. What a device never says has no words. */
const FAILURES: Record<string, Partial<Record<Device, Failure>>> = {
  EACCES: DENIED,
  EPERM: DENIED,
  ENXIO: GONE,
  ENODEV: GONE,
  EBUSY: {
    disk: ['write.busy', 'another program or file system is using it', 'End what uses it: `lsblk` may show it.'],
    tape: ['tape.busy', 'the drive is in use by another program', 'End that program, then try again.'],
  },
  EROFS: {
    disk: ['write.read-only', 'it is read-only', 'Move the switch on the card or stick, or take another.'],
    tape: ['tape.protected', 'the tape is write-protected', "Move the tab on the tape's shell, or take another tape."],
  },
  ENOSPC: {
    disk: ['write.too-small', 'it ends before the image does', 'Take a bigger one.'],
    tape: ['tape.full', 'the tape has come to its end', 'Take a longer tape.'],
  },
  ENOMEDIUM: {
    disk: ['write.gone', 'the medium was taken out', 'Put it in and write it again.'],
    tape: ['tape.none', 'there is no tape in the drive', 'Put one in, and wait until the drive is ready.'],
  },
  ENODATA: {
    disk: ['write.short', 'the data end early', 'The image or the disk has become shorter meanwhile.'],
  },
  EIO: {
    disk: [
      'write.failed',
      'it reports an error: bad blocks, or a bad connection',
      'Write it again, or take another one; the kernel log may say more.',
    ],
    tape: [
      'tape.failed',
      'the drive reports an error',
      'Look into the kernel log; clean the drive or take another tape.',
    ],
  },
};
const UNKNOWN: Record<Device, string> = { disk: 'write.failed', tape: 'tape.failed' };

/** An errno, or the error of a system call, in words. */
export function failureOf(error: unknown, device: Device): Failure {
  const errno = typeof error === 'string' ? error : errnoOf(error);
  const said = typeof error === 'string' ? error : messageOf(error);
  return FAILURES[errno]?.[device] ?? [UNKNOWN[device], said, 'Look into the kernel log.'];
}

/** `EIO`; empty when it is no error of a system call. */
export const errnoOf = (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : '');
