import type { Loaders } from './loaders.ts';
import type { MediumParts, Source } from './medium.ts';
import { grubConfig, helpText, isolinuxConfig, type MenuModel, ON_MEDIUM } from './menu.ts';

/** The loader files behind the menus: GRUB's for UEFI; for BIOS those of isolinux and syslinux alike. */
export const GRUB_FILES = ['grubKernel', 'grubFont'] as const;
export const MENU_FILES = ['menu', 'menuLibrary', 'comLibrary', 'reboot'] as const;

/** What every medium with a file system holds whatever starts it, by path: kernel, initrd, second stage, GRUB's menu, help. */
export async function commonFiles(
  parts: MediumParts,
  loaders: Loaders<(typeof GRUB_FILES)[number]>,
): Promise<[string, Source][]> {
  const [grub, help] = await Promise.all([grubConfig(parts.menu), helpText(parts.menu)]);
  return [
    ['boot/grub/grub.cfg', Buffer.from(grub)],
    ['boot/grub/font.pf2', loaders.grubFont],
    [ON_MEDIUM.help, Buffer.from(help)],
    [ON_MEDIUM.kernel, parts.kernel],
    [ON_MEDIUM.initrd, parts.initrd],
    ...secondStage(parts.stage2),
    ...memtest(parts.menu),
    ...Object.entries(parts.extraFiles),
  ];
}

function secondStage(stage2: MediumParts['stage2']): [string, Source][] {
  if (!stage2) return [];
  return [
    ['mindi/stage2.squashfs', stage2.path],
    ['mindi/id', Buffer.from(`${stage2.sha256}\n`)],
  ];
}

function memtest({ memtest: { bios, uefi } }: MenuModel): [string, Source][] {
  return [...(bios ? [file(ON_MEDIUM.memtest.bios, bios)] : []), ...(uefi ? [file(ON_MEDIUM.memtest.uefi, uefi)] : [])];
}

const file = (path: string, source: Source): [string, Source] => [path, source];

/** The menu for BIOS. isolinux and syslinux read the same one, each in the folder of its name and from a file of its name. */
export async function biosMenu(
  loader: 'isolinux' | 'syslinux',
  { menu }: MediumParts,
  loaders: Loaders<(typeof MENU_FILES)[number]>,
): Promise<[string, Source][]> {
  return [
    [`${loader}/${loader}.cfg`, Buffer.from(await isolinuxConfig(menu))],
    [`${loader}/menu.c32`, loaders.menu],
    [`${loader}/libutil.c32`, loaders.menuLibrary],
    [`${loader}/libcom32.c32`, loaders.comLibrary],
    [`${loader}/reboot.c32`, loaders.reboot],
  ];
}
