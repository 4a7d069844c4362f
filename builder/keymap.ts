import { readFileSync } from 'node:fs';

/**
 * The console keymap for the medium: null for the kernel's own, a name, or for `host` what this machine uses as told by
 * /etc/vconsole.conf (systemd) or /etc/default/keyboard (Debian's console-setup; its layout names are keymap names of kbd
 * for the common ones).
 */
export function hostKeymap(wanted: string | null, root = ''): string | null {
  if (wanted !== 'host') return wanted;
  const vconsole = setting(`${root}/etc/vconsole.conf`, 'KEYMAP');
  return vconsole ?? setting(`${root}/etc/default/keyboard`, 'XKBLAYOUT')?.split(',')[0] ?? null;
}

/** The value of NAME="value" in a file of shell assignments. */
function setting(file: string, name: string): string | null {
  try {
    const line = readFileSync(file, 'utf8').match(new RegExp(`^\\s*${name}=["']?([^"'\\n]*)`, 'm'));
    return line?.[1]?.trim() || null;
  } catch {
    return null;
  }
}
