import fs from 'node:fs';
import { join } from 'node:path';

/** Families of distributions that share package names. */
export const DISTROS = ['debian', 'fedora', 'suse', 'arch', 'alpine'] as const;
export type Distro = (typeof DISTROS)[number];

/** What people call the families. */
export const DISTRO_NAMES: Record<Distro, string> = {
  debian: 'Debian',
  fedora: 'Fedora/RHEL',
  suse: 'openSUSE',
  arch: 'Arch',
  alpine: 'Alpine',
};

/** The command that installs packages, without them. */
export const INSTALL: Record<Distro, string> = {
  debian: 'apt-get install',
  fedora: 'dnf install',
  suse: 'zypper install',
  arch: 'pacman -S',
  alpine: 'apk add',
};

const FAMILY: Record<string, Distro> = {
  debian: 'debian',
  ubuntu: 'debian',
  fedora: 'fedora',
  rhel: 'fedora',
  centos: 'fedora',
  suse: 'suse',
  opensuse: 'suse',
  sles: 'suse',
  'opensuse-leap': 'suse',
  'opensuse-tumbleweed': 'suse',
  arch: 'arch',
  archlinux: 'arch',
  alpine: 'alpine',
};

let known: { distro: Distro | undefined } | undefined;

/** This machine's family, or undefined when os-release names none of them. */
export function thisDistro(): Distro | undefined {
  known ??= { distro: distroOf(readOsRelease('/')) };
  return known.distro;
}

/** The text of os-release below `root`; empty when there is none. */
export function readOsRelease(root: string): string {
  for (const place of ['etc/os-release', 'usr/lib/os-release']) {
    try {
      return fs.readFileSync(join(root, place), 'utf8');
    } catch {
      // The next place, os-release(5).
    }
  }
  return '';
}

/** The family by ID, else by the first of ID_LIKE that is known (os-release(5)). */
export function distroOf(osRelease: string): Distro | undefined {
  const field = (name: string) => new RegExp(`^${name}=["']?([^"'\\n]*)`, 'm').exec(osRelease)?.[1] ?? '';
  const ids = [field('ID'), ...field('ID_LIKE').split(/\s+/)];
  return ids.map((id) => FAMILY[id]).find((family) => family !== undefined);
}
