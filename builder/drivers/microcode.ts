import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MindiError } from '../../contract/error.ts';
import { madeFile, type Piece } from '../piece.ts';
import type { FirmwareSource } from './firmware-source.ts';

export type MicrocodeChoice = 'none' | 'this-machine' | 'all';

/** Where the kernel looks in the first, uncompressed part of the initrd. Documentation/arch/x86/microcode.rst */
const VENDORS = [
  {
    id: 'GenuineIntel',
    path: '/kernel/x86/microcode/GenuineIntel.bin',
    directory: 'intel-ucode',
    package: 'intel-microcode',
    /** family-model-stepping; Debian names those that only work this early .initramfs. */
    file: /^[0-9a-f]{2}-[0-9a-f]{2}-[0-9a-f]{2}(\.initramfs)?$/,
    fileOf: ({ family, model, stepping }: Processor) => {
      const hex = (value: number) => value.toString(16).padStart(2, '0');
      return `${hex(family)}-${hex(model)}-${hex(stepping)}`;
    },
  },
  {
    id: 'AuthenticAMD',
    path: '/kernel/x86/microcode/AuthenticAMD.bin',
    directory: 'amd-ucode',
    package: 'amd64-microcode',
    file: /^microcode_amd.*\.bin$/,
    /** arch/x86/kernel/cpu/microcode/amd.c, find_microcode_in_initrd */
    fileOf: ({ family }: Processor) =>
      family >= 0x15 ? `microcode_amd_fam${family.toString(16)}h.bin` : 'microcode_amd.bin',
  },
] as const;

interface Processor {
  vendor: string;
  family: number;
  model: number;
  stepping: number;
}

/**
 * Early microcode, a cpio of its own that comes first in the initrd. Empty for `none`.
 * @param cpuinfo text of /proc/cpuinfo, whose processor `this-machine` means
 * @throws MindiError `microcode.missing` with the package that has it
 */
export function microcodePiece(
  choice: MicrocodeChoice,
  sources: readonly FirmwareSource[],
  where?: string,
  cpuinfo: () => string = () => readFileSync('/proc/cpuinfo', 'utf8'),
): Piece {
  const piece: Piece = { entries: [], contents: new Map() };
  if (choice === 'none') return piece;
  const processor = choice === 'this-machine' ? processorOf(cpuinfo()) : undefined;
  const vendors = VENDORS.filter(({ id }) => processor === undefined || id === processor.vendor);
  for (const vendor of vendors) {
    const bytes = updates(vendor, sources, processor);
    if (bytes.length > 0)
      madeFile(piece, vendor.path, Buffer.concat(bytes), [{ rule: `drivers.microcode: ${choice}` }]);
  }
  if (piece.entries.length === 0)
    throw missing(
      processor,
      vendors.map((vendor) => vendor.package),
      where,
    );
  return piece;
}

/** The update files of a vendor, by name, from the first source that has any. */
function updates(
  { directory, file, fileOf }: (typeof VENDORS)[number],
  sources: readonly FirmwareSource[],
  processor: Processor | undefined,
): Buffer[] {
  const wanted = (name: string) => processor === undefined || name.replace('.initramfs', '') === fileOf(processor);
  for (const { root } of sources) {
    for (const base of ['lib/firmware', 'usr/lib/firmware']) {
      const place = join(root, base, directory);
      const names = list(place).filter((name) => file.test(name) && wanted(name));
      if (names.length > 0) return names.map((name) => readFileSync(join(place, name)));
    }
  }
  return [];
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

function processorOf(cpuinfo: string): Processor {
  const field = (name: string) => new RegExp(`^${name}\\s*: *(.*)$`, 'm').exec(cpuinfo)?.[1] ?? '';
  return {
    vendor: field('vendor_id'),
    family: Number(field('cpu family')),
    model: Number(field('model')),
    stepping: Number(field('stepping')),
  };
}

function missing(processor: Processor | undefined, names: readonly string[], where: string | undefined): MindiError {
  const what = processor ? `this machine’s processor (${processor.vendor || 'unknown'})` : 'any processor';
  return new MindiError(`there is no microcode for ${what} where drivers.firmware.from looks`, {
    code: 'microcode.missing',
    where,
    hint:
      names.length > 0
        ? `Debian has it: \`drivers: { firmware: { from: [host, ${names.join(', ')}] } }\`.`
        : 'Write `microcode: none`: only processors of Intel and AMD take updates.',
  });
}
