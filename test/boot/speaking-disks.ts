import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../builder/run.ts';

/** What both disks say on the serial port when a machine starts from them. */
export const STARTED = 'the local disk has started';

/** A disk whose boot sector speaks on the serial port. */
export async function biosDisk(folder: string): Promise<string> {
  const image = join(folder, 'bios.img');
  const code = [
    ...[0xfc, 0x31, 0xc0, 0x8e, 0xd8], // cld; xor ax, ax; mov ds, ax
    ...[0xbe, 0x40, 0x7c, 0xba, 0xf8, 0x03], // mov si, 0x7c40; mov dx, 0x3f8
    ...[0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8], // next: lodsb; test al, al; jz stop; out dx, al; jmp next
    ...[0xf4, 0xeb, 0xfd], // stop: hlt; jmp stop
  ];
  const sector = Buffer.alloc(1 << 20);
  sector.set(code);
  sector.write(`${STARTED}\r\n`, 0x40, 'latin1');
  sector.writeUInt16LE(0xaa55, 510);
  await writeFile(image, sector);
  return image;
}

/** A disk with an EFI system partition, whose loader speaks on the serial port. */
export async function uefiDisk(folder: string): Promise<string> {
  const at = (name: string) => join(folder, name);
  const [image, loader, config] = [at('uefi.img'), at('grubx64.efi'), at('early.cfg')];
  await writeFile(config, `serial\nterminal_output serial\necho ${STARTED}\nsleep 1000\n`);
  const modules = ['serial', 'terminal', 'echo', 'sleep'];
  await run('grub-mkimage', ['-O', 'x86_64-efi', '-p', '/', '-c', config, '-o', loader, ...modules]);
  await writeFile(image, '');
  await truncate(image, 8 << 20);
  await run('sfdisk', [image], { input: 'label: gpt\nstart=2048, size=12288, type=uefi\n' });
  const partition = `${image}@@1M`;
  await run('mformat', ['-i', partition, '-T', '12288', '-h', '2', '-s', '32', '::']);
  await run('mmd', ['-i', partition, '::/EFI', '::/EFI/debian']);
  await run('mcopy', ['-i', partition, loader, '::/EFI/debian/grubx64.efi']);
  return image;
}
