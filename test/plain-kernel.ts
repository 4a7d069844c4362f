import { readFile } from 'node:fs/promises';
import { takeKernel } from '../boot/bootable.ts';
import { cached, hashFile } from '../builder/cache.ts';
import { run } from '../builder/run.ts';

/** Kernel and initrd of an image, for QEMU to start without any loader, nor what unpacks the kernel. */
export async function startFiles(image: string, folder: string): Promise<{ kernel: string; initrd: string }> {
  const { kernel, initrd } = await takeKernel(image, folder);
  return { kernel: await plainKernel(kernel), initrd };
}

/**
 * The ELF file in a kernel image. Under software emulation Linux needs three seconds to unpack it; QEMU starts it by its
 * PVH entry. It finds no VGA text console then: tests that look at the screen take the image as it is.
 * The header is that of Documentation/arch/x86/boot.rst.
 */
export async function plainKernel(image: string): Promise<string> {
  const bytes = await readFile(image);
  const start = ((bytes[0x1f1] || 4) + 1) * 512 + bytes.readUInt32LE(0x248);
  const payload = bytes.subarray(start, start + bytes.readUInt32LE(0x24c));
  const { sha256 } = await hashFile(image);
  return cached('test-kernels', `${sha256}.elf`, async (stdoutFile) => {
    // Behind the stream is the length of what is in it.
    await run('xz', ['--decompress', '--stdout', '--single-stream'], { input: payload, stdoutFile });
  });
}
