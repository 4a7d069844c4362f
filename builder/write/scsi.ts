import fs from 'node:fs';
import { basename, join } from 'node:path';

/** What a SCSI device says of itself, as the kernel keeps it in sysfs. */
export interface ScsiFacts {
  /** The device's name in the kernel's words: nst0. */
  name: string;
  /** Vendor, model, revision. */
  model: string;
  /** The unit serial number (VPD page 80h); null: the device has none. */
  serial: string | null;
  /** host:channel:id:lun */
  address: string;
  /** The answer to INQUIRY. */
  inquiry: Buffer;
}

/**
 * Reads the directory of a SCSI device's class entry, /sys/dev/char/9:0.
 * @returns undefined when there is none
 */
export function scsiFacts(entry: string): ScsiFacts | undefined {
  const device = join(entry, 'device');
  const text = (name: string) => read(device, name)?.toString('latin1').trim() ?? '';
  if (!fs.existsSync(device)) return undefined;
  return {
    name: basename(fs.realpathSync(entry)),
    model: [text('vendor'), text('model'), text('rev')].filter(Boolean).join(' '),
    serial: printable(read(device, 'vpd_pg80')?.subarray(4)) || null,
    address: basename(fs.realpathSync(device)),
    inquiry: read(device, 'inquiry') ?? Buffer.alloc(0),
  };
}

function read(directory: string, name: string): Buffer | undefined {
  try {
    return fs.readFileSync(join(directory, name));
  } catch {
    return undefined;
  }
}

const printable = (bytes?: Buffer) =>
  bytes
    ?.toString('latin1')
    .replaceAll(/[^\x21-\x7e]+/g, ' ')
    .trim();

/** Whether a tape drive can show a tape as a disc: `$DR-10` at bytes 43 to 48 of its INQUIRY. */
export const startsMachines = ({ inquiry }: ScsiFacts) => inquiry.toString('latin1', 43, 49) === '$DR-10';
