import type { KernelFact } from './diagnose.ts';

/** What a kernel must be built with to boot mindi's media; `module`: a module will do. */
const OPTIONS: readonly { option: string; module?: boolean; required: boolean; purpose: string }[] = [
  { option: 'BLK_DEV_INITRD', required: true, purpose: 'starts from an initrd' },
  { option: 'RD_ZSTD', required: true, purpose: 'unpacks an initrd packed with zstd' },
  { option: 'DEVTMPFS', required: true, purpose: 'makes device nodes' },
  { option: 'BINFMT_SCRIPT', required: true, purpose: 'runs /init, a script' },
  { option: 'BLK_DEV_LOOP', module: true, required: true, purpose: 'mounts image files' },
  { option: 'SQUASHFS', module: true, required: true, purpose: 'mounts the runtime and the second stage' },
  { option: 'SQUASHFS_ZSTD', required: true, purpose: 'reads them, packed with zstd' },
  { option: 'OVERLAY_FS', module: true, required: true, purpose: 'lays the second stage over /usr' },
  { option: 'ISO9660_FS', module: true, required: true, purpose: 'reads the ISO' },
  { option: 'EFI_STUB', required: false, purpose: 'boots by UEFI' },
  { option: 'SERIAL_8250_CONSOLE', required: false, purpose: 'a serial console' },
];

/** Compares a kernel's build configuration (CONFIG_X=y or =m a line) with what the media need. */
export function kernelOptions(config: string): KernelFact[] {
  const set = new Map([...config.matchAll(/^CONFIG_(\w+)=([ym])$/gm)].map(([, option, value]) => [option, value]));
  return OPTIONS.map(({ option, module, required, purpose }) => {
    const value = set.get(option);
    const found = value === 'y' || (value === 'm' && module === true);
    return { name: `CONFIG_${option}`, required, found, detail: purpose };
  });
}
