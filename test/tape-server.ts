import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import type { TapeObject } from '../boot/simh.ts';
import { freePort } from './free-port.ts';

/**
 * Tape drives that QEMU hands to a guest as SCSI devices: tgtd's emulated ones, over iSCSI on the loopback interface.
 * They have no compression, no density and no unload, say nothing of OBDR, and corrupt reads longer than a record.
 */
export interface TapeServer extends AsyncDisposable {
  /** QEMU's arguments for all drives, behind one virtio controller. */
  devices: string[];
  /** What is on a drive's tape now. */
  tape: (index: number) => TapeObject[];
}

export interface EmulatedDrive {
  /** MiB of the tape. */
  size: number;
  /** The drive says that its tape must not be written. */
  protected?: boolean;
  /** No tape is in it. */
  empty?: boolean;
}

const TARGET = 'iqn.2024-01.lan.test:tapes';

/** Serves the drives, the first as nst0. */
export async function serveTapes(drives: readonly EmulatedDrive[], folder: string): Promise<TapeServer> {
  const [port, control] = [await freePort(), process.pid % 30_000];
  const server = execa('tgtd', ['-f', '-C', String(control), '--iscsi', `portal=127.0.0.1:${port}`], { reject: false });
  const adm = (...args: string[]) =>
    execFileSync('tgtadm', ['-C', String(control), '--lld', 'iscsi', ...args], { stdio: 'pipe' });
  const unit = (op: string, lun: number, ...args: string[]) =>
    adm('--op', op, '--mode', 'logicalunit', '--tid', '1', '--lun', String(lun), ...args);
  await answering(() => adm('--op', 'new', '--mode', 'target', '--tid', '1', '-T', TARGET));
  for (const [index, drive] of drives.entries()) {
    const file = join(folder, `tape${index}.img`);
    const tape = ['--op', 'new', '--device-type', 'tape', '--barcode', `TAPE${index}`, '--type', 'data'];
    execFileSync('tgtimg', [...tape, '--size', String(drive.size), '--file', file], { stdio: 'pipe' });
    unit('new', index + 1, '--device-type', 'tape', '--backing-store', file, '--bstype', 'ssc');
    unit('update', index + 1, '--params', `scsi_sn=TAPE-${index}`);
    if (drive.protected) unit('update', index + 1, '--params', 'readonly=1');
    if (drive.empty) unit('update', index + 1, '--params', 'removable=1,online=0');
  }
  adm('--op', 'bind', '--mode', 'target', '--tid', '1', '-I', 'ALL');
  return {
    devices: ['-device', 'virtio-scsi-pci,id=tapes', ...drives.flatMap((_, index) => device(port, index))],
    tape: (index) => [...blocks(readFileSync(join(folder, `tape${index}.img`)))],
    [Symbol.asyncDispose]: async () => {
      server.kill('SIGKILL');
      await server;
    },
  };
}

/** How tgt calls blocks on its tapes (usr/bs_ssc.h of its source). */
const BLOCK = { header: 48, data: 0x02, begin: 0x10, end: 0x20, filemark: 0x40 };

/** Reads a tape file of tgt: blocks with headers of big-endian numbers, each with the offset of the next. */
function* blocks(file: Buffer): Generator<TapeObject> {
  for (let at = 0; ; at = Number(file.readBigUInt64BE(at + 40))) {
    const [size, type] = [file.readUInt32BE(at + 8), file.readUInt32BE(at + 12)];
    if (type === BLOCK.end) return;
    if (type === BLOCK.filemark) yield null;
    else if (type === BLOCK.data) yield file.subarray(at + BLOCK.header, at + BLOCK.header + size);
    else if (type !== BLOCK.begin) throw new Error(`a block of no known type ${type} at byte ${at}`);
  }
}

function device(port: number, index: number): string[] {
  const file = `iscsi://127.0.0.1:${port}/${TARGET}/${index + 1}`;
  return [
    ...['-drive', `if=none,id=tape${index},format=raw,file=${file}`],
    ...['-device', `scsi-generic,drive=tape${index},bus=tapes.0,lun=${index}`],
  ];
}

/** Repeats the first call until the server is there. */
async function answering(call: () => unknown): Promise<void> {
  for (let left = 100; ; left -= 1) {
    try {
      call();
      return;
    } catch (error) {
      if (left === 0) throw error;
      await sleep(100);
    }
  }
}
